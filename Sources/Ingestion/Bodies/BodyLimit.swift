import JobModel

/// How large one answer or one file may be: a source that never ends must not fill the disk.
struct BodyLimit: Sendable {
  let bytes: Int
  /// The stream's.
  let label: String

  /// - Throws: A terminal ``StageFailure`` `source_body`.
  func check(_ received: Int64, of what: String) throws {
    guard received > Int64(bytes) else { return }
    throw StageFailure(
      code: "source_body",
      message: "\(label): \(what) is larger than \(bytes) bytes (limits: body); nothing of it is kept",
      hint: "raise `limits: {body: …}` of the source if that much is expected")
  }
}
