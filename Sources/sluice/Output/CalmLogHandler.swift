import Logging
import Synchronization

/// Writes a warning or an error that says the same as an earlier one at most once a minute: a database that is away for a night
/// does not fill the disk. The next one that is written says how many were left out.
struct CalmLogHandler: LogHandler {
  private var inner: any LogHandler
  private let memory: LogMemory

  init(_ inner: any LogHandler, memory: LogMemory) {
    self.inner = inner
    self.memory = memory
  }

  var metadata: Logger.Metadata {
    get { inner.metadata }
    set { inner.metadata = newValue }
  }
  var logLevel: Logger.Level {
    get { inner.logLevel }
    set { inner.logLevel = newValue }
  }
  var metadataProvider: Logger.MetadataProvider? {
    get { inner.metadataProvider }
    set { inner.metadataProvider = newValue }
  }
  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { inner[metadataKey: key] }
    set { inner[metadataKey: key] = newValue }
  }

  func log(event: LogEvent) {
    guard event.level >= .warning else { return inner.log(event: event) }
    guard let leftOut = memory.leftOut(before: Self.text(event, metadata)) else { return }
    var event = event
    if leftOut > 0 { event.metadata = (event.metadata ?? [:]).merging(["left_out": "\(leftOut)"]) { $1 } }
    inner.log(event: event)
  }

  /// What two events have in common that are the same to a reader. A wait before a retry differs by chance.
  private static func text(_ event: LogEvent, _ common: Logger.Metadata) -> String {
    let all = common.merging(event.metadata ?? [:]) { $1 }.filter { $0.key != "after" }
    let fields = all.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    return "\(event.level) \(event.message) \(fields.joined(separator: " "))"
  }
}

/// What was written in the last minute.
final class LogMemory: Sendable {
  private struct Entry {
    var written: ContinuousClock.Instant
    var leftOut = 0
  }
  private static let pause = Duration.seconds(60)
  /// More that differ within a minute are not remembered, and so written.
  private static let mostEntries = 256

  private let entries = Mutex<[String: Entry]>([:])
  private let now: @Sendable () -> ContinuousClock.Instant

  init(now: @escaping @Sendable () -> ContinuousClock.Instant = { ContinuousClock.now }) { self.now = now }

  /// How many of these were left out since the last one that was written; nil: this one is left out as well.
  func leftOut(before text: String) -> Int? {
    let now = now()
    return entries.withLock { entries in
      if let entry = entries[text], now - entry.written < Self.pause {
        entries[text]?.leftOut += 1
        return nil
      }
      let leftOut = entries[text]?.leftOut ?? 0
      if entries[text] == nil, entries.count >= Self.mostEntries {
        entries = entries.filter { now - $0.value.written < Self.pause }
        guard entries.count < Self.mostEntries else { return 0 }
      }
      entries[text] = Entry(written: now)
      return leftOut
    }
  }
}
