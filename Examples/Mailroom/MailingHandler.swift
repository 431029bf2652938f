import JobModel
import JobStore
import JobWorker
import Postgres

/// Writes the letters of one mailing, a chunk at a time.
///
/// Each chunk is committed together with the checkpoint that says how far the mailing is, and only while this attempt has
/// the job. So a process that is killed leaves whole chunks, the next attempt goes on behind them, and one that was
/// believed dead and comes back writes nothing.
struct MailingHandler: JobHandler {
  static let chunk: Int64 = 20
  /// To be raised when ``Place`` changes its meaning.
  static let format = CheckpointFormat("mailroom.mailing", 1)

  /// How far a mailing is.
  struct Place: Codable {
    /// The last recipient that has a letter; they are numbered from 1.
    var written: Int64
  }

  var database: PostgresPool
  /// After each chunk, to go easy on the printer.
  var pause: Duration

  func run(_ attempt: JobAttempt) async throws {
    let mailing = try attempt.payload(as: Mailing.Job.self).mailing
    let recipients = try await recipients(of: mailing)
    var place = try attempt.checkpoint(Self.format, as: Place.self) ?? Place(written: 0)
    while place.written < recipients {
      if attempt.shouldYield { throw JobYield() }
      let chunk = place.written + 1...min(place.written + Self.chunk, recipients)
      place.written = chunk.upperBound
      try await attempt.checkpoint(Self.format, place) { transaction in
        try await transaction.query(Self.write, [.int(mailing), .int(chunk.lowerBound), .int(chunk.upperBound)])
      }
      attempt.progress(JobProgress(rows: place.written, units: Int(place.written), totalUnits: Int(recipients)))
      try await Task.sleep(for: pause)
    }
    try await attempt.complete { transaction in
      try await transaction.query(
        "update mailroom.mailing set written_at = now() where mailing_id = $1", [.int(mailing)])
    }
  }

  private func recipients(of mailing: Int64) async throws -> Int64 {
    let counted = try await database.query(
      """
      select count(r.place) as recipients from mailroom.mailing m left join mailroom.recipient r using (mailing_id)
      where mailing_id = $1 group by mailing_id
      """, [.int(mailing)])
    guard let row = counted.first else { throw MailingUnknown(mailing: mailing) }
    return try row.int("recipients")
  }

  private static let write: SQLStatement = """
    insert into mailroom.letter (mailing_id, name, body)
    select r.mailing_id, r.name, m.subject || E'\\n\\n' || replace(m.template, '{name}', r.name)
    from mailroom.recipient r join mailroom.mailing m using (mailing_id)
    where r.mailing_id = $1 and r.place between $2 and $3
    order by r.place
    """
}

/// A job about a mailing that is not there: trying again cannot help, so the job is dead at once.
struct MailingUnknown: Failure {
  var mailing: Int64
  var code: String { "mailing_unknown" }
  var message: String { "there is no mailing \(mailing)" }
  var hint: String? { "enqueue the job in the transaction that writes the mailing" }
  var isTransient: Bool { false }
}
