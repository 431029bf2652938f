import Postgres

/// The service's own tables, beside the queue's in the same database.
enum MailroomSchema {
  static func create(in database: PostgresPool) async throws {
    try await database.transaction { transaction in
      // Two processes that start at once must not both create them.
      try await transaction.query("select pg_advisory_xact_lock(hashtext('mailroom'))")
      try await transaction.execute(
        """
        create schema if not exists mailroom;
        create table if not exists mailroom.mailing (
          mailing_id bigint generated always as identity primary key,
          subject    text not null,
          template   text not null,
          written_at timestamptz
        );
        create table if not exists mailroom.recipient (
          mailing_id bigint not null references mailroom.mailing,
          place      bigint not null,
          name       text not null,
          primary key (mailing_id, place)
        );
        -- What the printer takes. Nothing here would stop a second letter: that there is none is the queue's doing.
        create table if not exists mailroom.letter (
          letter_id  bigint generated always as identity primary key,
          mailing_id bigint not null,
          name       text not null,
          body       text not null
        );
        """)
    }
  }
}
