import Autoscaling
import FoundationEssentials
import JobStore

/// What is to be told of a run's deadline now. Pure.
struct LateNotice: Sendable, Equatable {
  enum Kind: Sendable, Equatable { case late, missed, inTime }

  /// It is told again where the run will be later by half, and by ten minutes at least.
  private static let growth = 1.5
  private static let leastGrowthSeconds = 600.0

  var kind: Kind
  var lateSeconds: Double

  /// Nil: nothing that was not told.
  ///
  /// - Parameters:
  ///   - forecast: Nil: nothing is known.
  ///   - told: What was told last.
  init?(deadline: Double, forecast: RunForecast?, told: JobStore.LateWarningRecord?, now: Double) {
    guard told?.missed != true else { return nil }
    let late = forecast?.lateSeconds ?? 0
    if now >= deadline {
      self.init(kind: .missed, lateSeconds: max(late, now - deadline))
    } else if late > 0, Self.isNews(late, told) {
      self.init(kind: .late, lateSeconds: late)
    } else if let forecast, let told, told.lateSeconds > 0, forecast.late <= deadline {
      self.init(kind: .inTime, lateSeconds: 0)
    } else {
      return nil
    }
  }

  private init(kind: Kind, lateSeconds: Double) {
    self.kind = kind
    self.lateSeconds = lateSeconds
  }

  private static func isNews(_ late: Double, _ told: JobStore.LateWarningRecord?) -> Bool {
    guard let told, told.lateSeconds > 0 else { return true }
    return late > told.lateSeconds * growth && late > told.lateSeconds + leastGrowthSeconds
  }

  var record: JobStore.LateWarningRecord {
    JobStore.LateWarningRecord(lateSeconds: lateSeconds, missed: kind == .missed)
  }

  var event: String {
    switch kind {
    case .late: "deadline_late"
    case .missed: "deadline_missed"
    case .inTime: "deadline_in_time"
    }
  }

  func message(_ run: JobStore.OpenRunRecord, _ forecast: Result<RunForecast, RunForecast.Unknown>) -> String {
    let due = run.deadline ?? ""
    let expected =
      switch forecast {
      case .success(let known):
        "expected at \(RunOutlook.text(known.mean)) (\(RunOutlook.text(known.early)) to \(RunOutlook.text(known.late)))"
      case .failure(let unknown): "when it ends is not known: \(unknown.reason)"
      }
    let known = try? forecast.get()
    let needs = known?.needs.map { "; \($0)" } ?? ""
    return switch kind {
    case .late:
      "run \(run.root) will be late by \(RunForecast.duration(lateSeconds))\(known == nil ? " at least" : ""): due at \(due), "
        + "\(expected)\(needs)"
    case .missed: "run \(run.root) missed its deadline \(due): \(expected)"
    case .inTime: "run \(run.root) will be in time again: due at \(due), \(expected)"
    }
  }
}

/// What people are told, as JSON.
struct LateMessage: Encodable {
  struct Expected: Encodable {
    var early: String
    var mean: String
    var late: String
  }

  var event = "late"
  var pipeline: String
  var run: Int64
  var deadline: String?
  var missed: Bool
  var lateSeconds: Double
  var expected: Expected?
  var moreSlots: Int?
  var moreBytes: Double?
  var message: String

  init(_ notice: LateNotice, _ run: JobStore.OpenRunRecord, _ forecast: Result<RunForecast, RunForecast.Unknown>) {
    let known = try? forecast.get()
    pipeline = run.pipeline
    self.run = run.root
    deadline = run.deadline
    missed = notice.kind == .missed
    lateSeconds = notice.lateSeconds
    expected = known.map {
      Expected(early: RunOutlook.text($0.early), mean: RunOutlook.text($0.mean), late: RunOutlook.text($0.late))
    }
    moreSlots = known?.moreSlots
    moreBytes = known?.moreBytes
    message = notice.message(run, forecast)
  }

  var json: String {
    get throws {
      let encoder = JSONEncoder()
      encoder.keyEncodingStrategy = .convertToSnakeCase
      encoder.outputFormatting = [.sortedKeys]
      return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
  }
}
