import FoundationEssentials
import JobModel
import JobStore
import Synchronization

/// Live bars on a terminal, a line for each change elsewhere.
final class ProgressDisplay: Sendable {
  private static let barWidth = 24
  /// Without a terminal, how often a running job's progress is told again, in seconds.
  private static let plainInterval = 5.0

  private struct State {
    var drawnLines = 0
    var told: [JobID: String] = [:]
    var toldAt: [JobID: Double] = [:]
    var lastNote = ""
  }
  private let state = Mutex(State())
  private let isTerminal = Console.isTerminal

  func show(_ jobs: [JobRecord], elapsed: Duration) {
    isTerminal ? draw(jobs) : tell(jobs, seconds: elapsed.inSeconds)
  }

  func say(_ text: String) {
    let isNew = state.withLock { state -> Bool in
      defer { state.lastNote = text }
      return state.lastNote != text
    }
    if isNew { Console.note(text) }
  }

  func finish() {
    state.withLock { $0.drawnLines = 0 }
  }

  private func draw(_ jobs: [JobRecord]) {
    let lines = jobs.map(Self.line)
    let up = state.withLock { state -> Int in
      defer { state.drawnLines = lines.count }
      return state.drawnLines
    }
    Console.draw(lines, over: up)
  }

  private func tell(_ jobs: [JobRecord], seconds: Double) {
    for job in jobs where job.state != .blocked && job.state != .ready {
      let isDue = state.withLock { state in
        let change = "\(job.state.rawValue) \(job.attempt)"
        let isNew = state.told[job.id] != change
        let isOld = job.state == .leased && seconds - (state.toldAt[job.id] ?? 0) >= Self.plainInterval
        guard isNew || isOld else { return false }
        state.told[job.id] = change
        state.toldAt[job.id] = seconds
        return true
      }
      if isDue { Console.note(Self.line(job)) }
    }
  }

  static func line(_ job: JobRecord) -> String {
    let progress = ProgressNumbers(job.progress)
    var parts = [pad(job.stage, 7), pad(job.label, 24), bar(job, progress)]
    if progress.units > 0 || progress.totalUnits != nil {
      parts.append(progress.totalUnits.map { "\(progress.units)/\($0)" } ?? "\(progress.units)")
    }
    if progress.rows > 0 { parts.append("\(progress.rows) rows") }
    if progress.bytes > 0 { parts.append(megabytes(progress.bytes)) }
    if job.attempt > 1 { parts.append("attempt \(job.attempt)") }
    if let cause = progress.waiting, job.state == .leased { parts.append("waits for the \(cause)") }
    if let note = progress.note, job.state == .leased { parts.append(note) }
    return TerminalText.line(parts.joined(separator: "  "))
  }

  private static func bar(_ job: JobRecord, _ progress: ProgressNumbers) -> String {
    let share: Double? =
      switch job.state {
      case .done: 1
      case .leased: progress.share
      case .ready, .later, .blocked, .dead, .cancelled: 0
      }
    let word =
      switch job.state {
      case .done: "done"
      case .leased: share.map { "\(Int($0 * 100)) %" } ?? "running"
      case .ready: "ready"
      case .later: "retry later"
      case .blocked: "waiting"
      case .dead: "FAILED"
      case .cancelled: "cancelled"
      }
    let full = Int((share ?? 0) * Double(barWidth))
    return "[" + String(repeating: "█", count: full) + String(repeating: "·", count: barWidth - full) + "] "
      + pad(word, 11)
  }

  private static func pad(_ text: String, _ width: Int) -> String {
    text.count >= width ? text : text + String(repeating: " ", count: width - text.count)
  }

  static func megabytes(_ bytes: Int64) -> String {
    let tenths = bytes / 100_000
    return "\(tenths / 10).\(tenths % 10) MB"
  }
}

/// A job's progress, read back from the store.
struct ProgressNumbers: Decodable {
  var bytes: Int64 = 0
  var rows: Int64 = 0
  var units: Int = 0
  var totalUnits: Int?
  var totalBytes: Int64?
  var note: String?
  /// What a running attempt waits for: a ``WaitCause``, or one of a later engine.
  var waiting: String?
  /// Seconds by cause.
  var waited: [String: Double]?

  init(_ json: String?) {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    guard let json, let read = try? decoder.decode(ProgressNumbers.self, from: Data(json.utf8)) else { return }
    self = read
  }

  /// Such as `source 12.3 s, limit 0.4 s`, the longest first; empty where it has not waited.
  var waitedText: String {
    (waited ?? [:]).sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.key) \($0.value) s" }
      .joined(separator: ", ")
  }

  /// 0...1 where the whole is known.
  var share: Double? {
    if let totalBytes, totalBytes > 0 { return min(1, Double(bytes) / Double(totalBytes)) }
    if let totalUnits, totalUnits > 0 { return min(1, Double(units) / Double(totalUnits)) }
    return nil
  }
}
