/// The shape of a checkpoint's state, such as `ingest.http/1`: what a release must be able to read before it
/// may go on from the checkpoint.
public struct CheckpointFormat: Sendable, Hashable, CustomStringConvertible {
  public var kind: String
  public var version: Int

  public init(_ kind: String, _ version: Int) {
    self.kind = kind
    self.version = version
  }

  /// Reads `ingest.http/1`; nil where the text is something else.
  public init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[0].isEmpty, let version = Int(parts[1]), version > 0 else { return nil }
    self.init(String(parts[0]), version)
  }

  public var description: String { "\(kind)/\(version)" }
}
