/// What went wrong, told so that a person can act: the operation, the thing, the cause, the way out.
///
/// Values and payloads never appear in any of the texts, so that no secret reaches a log; details belong
/// in a `debugDescription`.
public protocol Failure: Error, CustomStringConvertible {
  /// Stable, in snake_case, such as `source_status`; scripts may match it.
  var code: String { get }
  /// Names the thing and the place.
  var message: String { get }
  /// The way out, as an imperative sentence.
  var hint: String? { get }
  /// The file:line:column or the step; nil where the message says it all.
  var at: String? { get }
  /// Whether trying again later can help.
  var isTransient: Bool { get }
  /// Whether the work, or a child process that did it, ended for lack of memory: trying again helps alone and with more of it.
  var isOutOfMemory: Bool { get }
}

extension Failure {
  public var at: String? { nil }
  public var isOutOfMemory: Bool { false }

  public var description: String {
    var text = message
    if let at, !text.contains(at) { text = "\(at): \(text)" }
    if let hint { text += "; \(hint)" }
    return text
  }
}

/// A failure of a stage: ingest, curate or load.
package struct StageFailure: Failure, Equatable {
  package var code: String
  package var message: String
  package var hint: String?
  package var at: String?
  package var isTransient: Bool

  package init(code: String, message: String, hint: String? = nil, at: String? = nil, isTransient: Bool = false) {
    self.code = code
    self.message = message
    self.hint = hint
    self.at = at
    self.isTransient = isTransient
  }
}
