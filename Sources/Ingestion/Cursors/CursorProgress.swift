import JobModel
import PipelineDefinition

/// How a stream's cursor moves in one pull: where the pull begins, and the highest value it has seen.
package struct CursorProgress: Sendable {
  package let cursor: Cursor
  /// Of times without an offset; nil: UTC.
  private let clock: LocalClock?
  /// The cursor does not move past it; nil: wherever the records say.
  package let limit: CursorValue?
  /// The highest value so far, as the source wrote it without the spaces around it, that is not beyond the limit.
  package private(set) var highest: String?
  private var highestValue: CursorValue?
  /// The records whose value is beyond the limit.
  package private(set) var beyond: Beyond?
  /// Values that are none of the cursor's type, null among them.
  package private(set) var unreadable: Int64 = 0

  /// Records that a limited cursor does not follow.
  package struct Beyond: Sendable, Codable, Equatable {
    package var records: Int64
    /// As the source wrote it.
    package var highest: String
  }

  /// - Parameters:
  ///   - highest: What an earlier attempt of the same pull had seen.
  ///   - beyond: The same of the records beyond the limit.
  ///   - now: Seconds since 1970, from which the limit of the definition counts; nil: there is none.
  ///   - clock: Of times without an offset; nil: UTC.
  package init(
    _ cursor: Cursor, highest: String? = nil, beyond: Beyond? = nil, now: Int64? = nil, clock: LocalClock? = nil
  ) {
    self.cursor = cursor
    self.clock = clock
    self.highest = highest
    self.beyond = beyond
    highestValue = highest.flatMap { CursorValue($0, type: cursor.type, clock: clock) }
    limit = now.flatMap { Self.limit(of: cursor, now: $0) }
  }

  package mutating func see(_ text: String?) {
    guard let text, let value = CursorValue(text, type: cursor.type, clock: clock) else {
      unreadable += 1
      return
    }
    // Of the few values that are kept.
    var significant: String { CursorKind(cursor.type).significant(text) }
    if let limit, limit < value { return seeBeyond(significant, value) }
    if let highestValue, !(highestValue < value) { return }
    highest = significant
    highestValue = value
  }

  private mutating func seeBeyond(_ text: String, _ value: CursorValue) {
    let known = beyond.flatMap { CursorValue($0.highest, type: cursor.type, clock: clock) }
    let isHigher = known.map { $0 < value } ?? true
    beyond = Beyond(records: (beyond?.records ?? 0) + 1, highest: isHigher ? text : beyond?.highest ?? text)
  }

  /// What the stream's cursor is to become: never lower than it is; nil where it stays.
  package func advanced(from stored: String?) -> String? {
    guard let highest, let highestValue else { return nil }
    guard let stored else { return highest }
    guard let storedValue = CursorValue(stored, type: cursor.type, clock: clock) else { return highest }
    return storedValue < highestValue ? highest : nil
  }

  /// What `{cursor}` stands for: the stored value less the lag, or `start`, or nothing.
  ///
  /// A time that the source wrote without an offset stays one: it is a time of the source's own clock, whatever its zone.
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
    if cursor.type.name == "date" { return begin.dateText }
    return Instant.hasOffset(stored) ? begin.text : begin.textWithoutOffset
  }

  /// The stored value that counts: the newest one that is not beyond the limit of the definition.
  ///
  /// So a cursor that jumped ahead before it had a limit begins again where it was before the jump.
  ///
  /// - Parameters:
  ///   - history: The values that the cursor had, newest first.
  ///   - now: Seconds since 1970.
  ///   - clock: Of times without an offset; nil: UTC.
  package static func stored(_ cursor: Cursor, history: [String], now: Int64, clock: LocalClock? = nil) -> String? {
    guard let limit = limit(of: cursor, now: now) else { return history.first }
    return history.first { text in CursorValue(text, type: cursor.type, clock: clock).map { !(limit < $0) } ?? true }
  }

  private static func limit(of cursor: Cursor, now: Int64) -> CursorValue? {
    cursor.maximumAhead.flatMap { cursor.type.isTemporal ? value(now: now, ahead: $0) : nil }
  }

  private static func value(now: Int64, ahead: Duration) -> CursorValue {
    let (seconds, attoseconds) = ahead.components
    let nanoseconds = (Int128(now) + Int128(seconds)) * 1_000_000_000 + Int128(attoseconds / 1_000_000_000)
    return .instant(Instant(nanoseconds: nanoseconds))
  }
}

extension CursorProgress {
  /// A bound of a backfill, in the notation in which the stream's source writes its cursor; nil where it is no value of the type.
  ///
  /// - Parameters:
  ///   - text: As a person wrote it.
  ///   - stored: The stream's cursor: without an offset where the source writes none.
  package static func bound(_ text: String, _ cursor: Cursor, stored: String?) -> (value: CursorValue, text: String)? {
    let text = CursorKind(cursor.type).significant(text)
    guard let value = CursorValue(text, type: cursor.type) else { return nil }
    guard case .instant(let instant) = value else { return (value, text) }
    if cursor.type.name == "date" { return (value, instant.dateText) }
    // What the source writes decides. Before it has written any, that of a `timestamp` is taken to know no offset.
    let isLocal = stored.map { !Instant.hasOffset($0) } ?? (cursor.type.name == "timestamp")
    return (value, isLocal && !Instant.hasOffset(text) ? instant.textWithoutOffset : instant.text)
  }
}

/// A cursor without a limit that is so far ahead that runs would find nothing new for a while.
enum FarCursor {
  /// Times without a zone count as UTC, and are up to 14 hours ahead of it.
  static let usual = Duration.seconds(86_400)

  /// Whether the value lies further ahead than the clocks and zones of sources explain.
  ///
  /// - Parameter now: Seconds since 1970.
  static func isFar(_ text: String, of cursor: Cursor, now: Int64, clock: LocalClock?) -> Bool {
    guard cursor.type.isTemporal, case .instant(let instant)? = CursorValue(text, type: cursor.type, clock: clock)
    else { return false }
    return instant.nanoseconds > (Int128(now) + Int128(usual.components.seconds)) * 1_000_000_000
  }
}
