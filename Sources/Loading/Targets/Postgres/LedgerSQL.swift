import Postgres

/// The statements over schema `sluice_ledger` of a target. The key of every row begins with installation, environment,
/// pipeline and table: parameters 1 to 4 throughout.
enum LedgerSQL {
  /// Whether all of our tables are there and usable: most loads need no right to create anything. And whether this role can add an
  /// index that the ledger of an earlier release lacks.
  static let exists = SQLStatement(
    name: "ledger_exists",
    text: """
      select
        coalesce((select bool_and(to_regclass('sluice_ledger.' || t) is not null)
          from unnest('{head,ledger,mark,staging,staged}'::text[]) t
          where to_regnamespace('sluice_ledger') is not null), false) as present,
        exists (
          select from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where n.nspname = 'sluice_ledger' and c.relname = 'ledger' and pg_has_role(c.relowner, 'usage')
            and has_schema_privilege(n.oid, 'create')
            and (select count(*) from pg_class i where i.relnamespace = n.oid and i.relkind = 'i'
              and i.relname in ('ledger_loads_idx', 'ledger_pieces_idx')) < 2) as wants_indexes
      """)

  /// By which a load reads a few rows of a ledger of any length. Where other loads keep the table from being locked, a later one adds
  /// them.
  static let addIndexes = SQLStatement(
    name: "ledger_add_indexes",
    text: """
      do $$ begin
      perform pg_advisory_xact_lock(hashtextextended('sluice_ledger', 0));
      if (select count(*) from pg_class i join pg_namespace n on n.oid = i.relnamespace
          where n.nspname = 'sluice_ledger' and i.relname in ('ledger_loads_idx', 'ledger_pieces_idx')) < 2 then
        perform set_config('lock_timeout', '1s', true);
        create index if not exists ledger_loads_idx on sluice_ledger.ledger
          (installation, environment, pipeline, table_name, at) where status = 'loaded' and chunk = -1;
        create index if not exists ledger_pieces_idx on sluice_ledger.ledger
          (installation, environment, pipeline, table_name, snapshot) where chunk >= 0;
      end if;
      exception when lock_not_available then null;
      end $$
      """)

  /// Only one session creates at a time: `create … if not exists` alone fails when two run at once. The schema is asked
  /// for first, because creating it "if not exists" takes a right on the database even where it exists; in the catalog,
  /// because `to_regnamespace` answers from a cache that waiting for an advisory lock does not refresh.
  static let create = SQLStatement(
    name: "ledger_create",
    text: """
      do $$ begin
      perform pg_advisory_xact_lock(hashtextextended('sluice_ledger', 0));
      if not exists (select from pg_namespace where nspname = 'sluice_ledger') then create schema sluice_ledger; end if;
      create table if not exists sluice_ledger.head (
        installation text not null, environment text not null, pipeline text not null, table_name text not null,
        ticket bigint not null,          -- the highest that ever began or finished a load; lower ones are refused
        job_id bigint not null,          -- of that ticket: whose sessions its successor ends
        at timestamptz not null default now(),
        primary key (installation, environment, pipeline, table_name));
      create table if not exists sluice_ledger.ledger (
        installation text not null, environment text not null, pipeline text not null, table_name text not null,
        snapshot uuid not null, chunk integer not null,                   -- chunk -1: the whole snapshot; -2: it was left out
        number bigint not null,                                           -- of the snapshot, for people
        ticket bigint not null, rows bigint not null, inserted bigint not null, updated bigint not null,
        deleted bigint not null, content_hash text not null,
        status text not null check (status in ('loaded', 'superseded')),
        at timestamptz not null default now(),
        primary key (installation, environment, pipeline, table_name, snapshot, chunk));
      create table if not exists sluice_ledger.mark (                     -- by which a load notices what others did to the table
        installation text not null, environment text not null, pipeline text not null, table_name text not null,
        through uuid,                    -- the last snapshot that the ledger has together with all before it
        relation bigint, filenode bigint,  -- which table it was, and its storage
        ledger bigint,                   -- this relation's own number: another one after a restore of both
        kept bigint not null,            -- rows that loads put in and did not take out
        reload bigint,                   -- the reload that last had the ledger rows forgotten
        at timestamptz not null default now(),
        primary key (installation, environment, pipeline, table_name));
      create table if not exists sluice_ledger.staging (                  -- which staging tables exist, and whose
        name text primary key, installation text not null, environment text not null, pipeline text not null,
        table_name text not null, snapshot uuid not null, layout text not null,
        at timestamptz not null default now());
      -- Unlogged like the staging tables themselves: a crash of the server empties both, so neither can lie.
      create unlogged table if not exists sluice_ledger.staged (
        snapshot uuid not null, table_name text not null, chunk integer not null, rows bigint not null,
        primary key (snapshot, table_name, chunk));
      end $$
      """)

  /// Sessions of this role that are to end: of the same job ($1) with a lower ticket ($2), and those of the job that the
  /// head names for this table, which a successor of another run finds hanging. Waits up to five seconds each.
  static let endOlderSessions = SQLStatement(
    name: "ledger_end_older_sessions",
    text: """
      select pg_terminate_backend(a.pid, 5000) as ended
      from pg_stat_activity a
      where a.datname = current_database() and a.usename = current_user and a.pid <> pg_backend_pid()
        and a.application_name ~ '^sluice/[0-9]{1,18}/[0-9]{1,18}$'
        and split_part(a.application_name, '/', 3)::bigint < $6::bigint
        and split_part(a.application_name, '/', 2)::bigint in (
          select $5::bigint union all
          select h.job_id from sluice_ledger.head h
          where h.installation = $1 and h.environment = $2 and h.pipeline = $3 and h.table_name = $4)
      """)

  /// Raises the head to this ticket; no row when it stands higher. Locks the head's row.
  static let claimHead = SQLStatement(
    name: "ledger_claim_head",
    text: """
      insert into sluice_ledger.head as h (installation, environment, pipeline, table_name, job_id, ticket)
      values ($1, $2, $3, $4, $5::bigint, $6::bigint)
      on conflict (installation, environment, pipeline, table_name)
      do update set ticket = excluded.ticket, job_id = excluded.job_id, at = now()
      where h.ticket <= excluded.ticket
      returning h.ticket
      """)

  /// The head's ticket, its row locked until the transaction ends: one final transaction a table at a time.
  static let lockHead = SQLStatement(
    name: "ledger_lock_head",
    text: """
      select ticket from sluice_ledger.head
      where installation = $1 and environment = $2 and pipeline = $3 and table_name = $4 for update
      """)

  /// The head's ticket, shared: no later claim takes the head until the transaction ends.
  static let holdHead = SQLStatement(
    name: "ledger_hold_head",
    text: """
      select ticket from sluice_ledger.head
      where installation = $1 and environment = $2 and pipeline = $3 and table_name = $4 for share
      """)

  /// The head's ticket as it is, without waiting for a final transaction.
  static let readHead = SQLStatement(
    name: "ledger_read_head",
    text: """
      select ticket from sluice_ledger.head
      where installation = $1 and environment = $2 and pipeline = $3 and table_name = $4
      """)

  /// What the ledger says of the snapshots $5. Index: primary key.
  static let entries = SQLStatement(
    name: "ledger_entries",
    text: """
      select snapshot::text as snapshot, status, rows, inserted, updated, deleted
      from sluice_ledger.ledger
      where installation = $1 and environment = $2 and pipeline = $3 and table_name = $4
        and snapshot = any($5::uuid[]) and chunk = -1
      """)

  static let insertEntry = SQLStatement(
    name: "ledger_insert_entry",
    text: """
      insert into sluice_ledger.ledger (installation, environment, pipeline, table_name, snapshot, chunk, number, ticket,
        status, rows, inserted, updated, deleted, content_hash)
      values ($1, $2, $3, $4, $5::uuid, -1, $6::bigint, $7::bigint, $8, $9::bigint, $10::bigint, $11::bigint,
        $12::bigint, encode(sha256(convert_to($13, 'UTF8')), 'hex'))
      """)

  /// Writes down that piece $8 of a snapshot is in the table, in the transaction of its COPY; no row when it is already.
  static let insertPiece = SQLStatement(
    name: "ledger_insert_piece",
    text: """
      insert into sluice_ledger.ledger (installation, environment, pipeline, table_name, snapshot, number, ticket, chunk,
        status, rows, inserted, updated, deleted, content_hash)
      values ($1, $2, $3, $4, $5::uuid, $6::bigint, $7::bigint, $8::integer, 'loaded', $9::bigint, $9::bigint, 0, 0,
        encode(sha256(convert_to($10, 'UTF8')), 'hex'))
      on conflict do nothing returning chunk
      """)

  static let pieces = SQLStatement(
    name: "ledger_pieces",
    text: """
      select chunk, rows from sluice_ledger.ledger
      where installation = $1 and environment = $2 and pipeline = $3 and table_name = $4 and snapshot = $5::uuid
        and chunk >= 0
      """)

  /// Ledger rows of the snapshots $6 that a newer full one makes superfluous, or that an operator left out, with their numbers and
  /// contents; rows that are there stay.
  static let insertSuperseded = SQLStatement(
    name: "ledger_insert_superseded",
    text: """
      insert into sluice_ledger.ledger (installation, environment, pipeline, table_name, snapshot, chunk, number, ticket,
        status, rows, inserted, updated, deleted, content_hash)
      select $1, $2, $3, $4, s.snapshot, -1, s.number, $5::bigint, 'superseded', 0, 0, 0, 0,
        encode(sha256(convert_to(s.content, 'UTF8')), 'hex')
      from unnest($6::uuid[], $7::bigint[], $8::text[]) as s (snapshot, number, content)
      on conflict do nothing returning snapshot::text as snapshot
      """)

  static let raiseHead = SQLStatement(
    name: "ledger_raise_head",
    text: """
      update sluice_ledger.head set ticket = $6::bigint, job_id = $5::bigint, at = now()
      where installation = $1 and environment = $2 and pipeline = $3 and table_name = $4
      """)

  /// Writes down that a chunk is staged, in the transaction of its COPY; no row when it is already. A zombie that
  /// copies the same chunk makes this wait until its transaction ends, and then one of the two is the one.
  static let insertStaged = SQLStatement(
    name: "ledger_insert_staged",
    text: """
      insert into sluice_ledger.staged (snapshot, table_name, chunk, rows) values ($1::uuid, $2, $3::integer, $4::bigint)
      on conflict (snapshot, table_name, chunk) do nothing returning chunk
      """)

  static let stagedChunks = SQLStatement(
    name: "ledger_staged_chunks",
    text: """
      select chunk, rows from sluice_ledger.staged where snapshot = $1::uuid and table_name = $2 order by chunk
      """)

  static let deleteStaged = SQLStatement(
    name: "ledger_delete_staged",
    text: "delete from sluice_ledger.staged where snapshot = $1::uuid and table_name = $2")

  static let stagingTables = SQLStatement(
    name: "ledger_staging_tables",
    text: """
      select name, snapshot::text as snapshot, layout from sluice_ledger.staging
      where installation = $1 and environment = $2 and pipeline = $3 and table_name = $4
      """)

  static let registerStaging = SQLStatement(
    name: "ledger_register_staging",
    text: """
      insert into sluice_ledger.staging (installation, environment, pipeline, table_name, name, snapshot, layout)
      values ($1, $2, $3, $4, $5, $6::uuid, $7)
      """)

  static let forgetStaging = SQLStatement(
    name: "ledger_forget_staging", text: "delete from sluice_ledger.staging where name = $1")
}
