import JobStore
import JobWorker
import Postgres

/// A letter that many people get, each with their own name in it.
struct Mailing {
  /// The kind of its job; the name is for this service to choose.
  static let jobKind = "mailroom.mailing"

  /// What the job says: which mailing. What is large stays in the service's own tables.
  struct Job: Codable {
    var mailing: Int64
  }

  var subject: String
  /// `{name}` is where a name goes.
  var template: String

  /// Writes the mailing with its recipients and enqueues its job, all or nothing.
  ///
  /// - Returns: The job's number.
  func send(to names: [String], through queue: Queue) async throws -> String {
    let job = try await queue.database.transaction { transaction in
      let mailing = try await transaction.query(
        "insert into mailroom.mailing (subject, template) values ($1, $2) returning mailing_id",
        [.text(subject), .text(template)]
      )[0].int("mailing_id")
      try await transaction.query(
        """
        insert into mailroom.recipient (mailing_id, place, name)
        select $1, place, name from unnest($2::text[]) with ordinality as r (name, place)
        """, [.int(mailing), .texts(names)])
      return try await queue.enqueue(
        NewJob(
          kind: Self.jobKind, payload: Job(mailing: mailing), pipeline: "mailroom", uniqueKey: "mailing/\(mailing)",
          label: subject),
        in: transaction)
    }
    return "\(job.id)"
  }
}
