import JobModel
import PipelineDefinition

/// How a stream's cursor moves in one pull: where the pull begins, and the highest value it has seen.
package struct CursorProgress: Sendable {
  /// A longer value does not count: it would be in every checkpoint and in every request.
  static let maximumValueBytes = 1024

  package let cursor: Cursor
  /// The highest value so far, as the source wrote it.
  package private(set) var highest: String?
  private var highestValue: CursorValue?
  /// Values that are none of the cursor's type, null among them.
  package private(set) var unreadable: Int64 = 0

  /// - Parameter highest: What an earlier attempt of the same pull had seen.
  package init(_ cursor: Cursor, highest: String? = nil) {
    self.cursor = cursor
    self.highest = highest
    highestValue = highest.flatMap { CursorValue($0, type: cursor.type) }
  }

  package mutating func see(_ text: String?) {
    guard let text, text.utf8.count <= Self.maximumValueBytes, let value = CursorValue(text, type: cursor.type) else {
      unreadable += 1
      return
    }
    if let highestValue, !(highestValue < value) { return }
    highest = text
    highestValue = value
  }

  /// What the stream's cursor is to become: never lower than it is; nil where it stays.
  package func advanced(from stored: String?) -> String? {
    guard let highest, let highestValue else { return nil }
    guard let stored else { return highest }
    guard let storedValue = CursorValue(stored, type: cursor.type) else { return highest }
    return storedValue < highestValue ? highest : nil
  }

  /// What `{cursor}` stands for: the stored value less the lag, or `start`, or nothing.
  ///
  /// - Throws: A terminal failure where a lag cannot be taken from a value of the cursor's type.
  package static func begin(_ cursor: Cursor, stored: String?, label: String) throws -> String {
    guard let stored else { return cursor.start ?? "" }
    guard cursor.lag > .zero else { return stored }
    guard case .instant(let instant)? = CursorValue(stored, type: cursor.type) else {
      throw StageFailure(
        code: "cursor_lag",
        message: "\(label): the lag of the cursor \(cursor.field) cannot be taken from a \(cursor.type)",
        hint: "a lag is a duration: use it with a date, timestamp or timestamptz, or leave it out")
    }
    let begin = instant - cursor.lag
    return cursor.type.name == "date" ? begin.dateText : begin.text
  }
}
