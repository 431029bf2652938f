import JobModel
import Postgres

extension JobStore {
  /// A registered release.
  package struct ReleaseRecord: Sendable, Equatable {
    package var id: Int64
    package var contentHash: String
    package var state: String
    package var label: String?
    package var engine: String
    package var createdAt: String
  }

  /// The release with this content; it and its files are written when it is new.
  ///
  /// - Parameter contentHash: SHA-256 over the canonical bytes of the definition, in hexadecimal.
  /// - Source: `release_register.sql`, `release_file_insert.sql`.
  package func registerRelease(
    contentHash: String, files: [(path: String, bytes: [UInt8])], label: String?, engine: String
  ) async throws -> Int64 {
    try await database.transaction { transaction in
      let rows = try await transaction.query(
        Statement.releaseRegister, [.text(contentHash), .optional(label), .text(engine)])
      let release = try rows.only.int("release_id")
      guard try rows.only.bool("is_new") else { return release }
      for file in files {
        try await transaction.query(
          Statement.releaseFileInsert, [.int(release), .text(file.path), .bytes(file.bytes)])
      }
      return release
    }
  }

  /// A release's files, so that a worker can work by the definition that a run began with.
  package func releaseFiles(_ release: Int64) async throws -> (
    contentHash: String, files: [(path: String, bytes: [UInt8])]
  ) {
    let rows = try await database.query(Statement.releaseFiles, [.int(release)])
    guard let first = rows.first else {
      throw StageFailure(
        code: "release_gone", message: "release \(release) has no files in the database",
        hint: "start the run again: sluice run PIPELINE")
    }
    return (try first.string("content_hash"), try rows.map { (try $0.string("path"), try $0.bytes("content")) })
  }

  package func releases(limit: Int = 50) async throws -> [ReleaseRecord] {
    try await database.query(Statement.releaseList, [.int(Int64(limit))]).map { row in
      ReleaseRecord(
        id: try row.int("release_id"), contentHash: try row.string("content_hash"), state: try row.string("state"),
        label: try row.optionalString("label"), engine: try row.string("engine"),
        createdAt: try row.string("created_at"))
    }
  }
}
