import ControlPlane
import FoundationEssentials
import JobModel
import JobStore

extension ScaleCommand {
  private static let defaultSeconds = 86_400.0
  private static let standardOutput = "-"

  /// The times that --from and --to say.
  static func seconds(_ text: String) -> Double? {
    (try? Date(text, strategy: .iso8601)).map(\.timeIntervalSince1970)
  }

  /// Draws the stored decisions of a time.
  ///
  /// - Parameter path: A file that is there is replaced; `-`: to standard output.
  func draw(_ path: String) async throws {
    if path != Self.standardOutput { try Self.check(path) }
    try await Installation.with(options, access: .reading) { installation in
      let store = installation.store
      let now = try await store.scalingMoment().seconds
      let end = to.flatMap(Self.seconds) ?? now
      let start = from.flatMap(Self.seconds) ?? end - Self.defaultSeconds
      guard start < end else {
        throw StageFailure(
          code: "usage", message: "--from is not before the end of the chart, \(Self.stamp(end))",
          hint: "choose an earlier --from")
      }
      var range = start...end
      var decisions = try await store.scalingDecisions(within: range, parts: ScalingChart.maxPoints)
      if from == nil, let first = decisions.first {
        // A system that is young fills the chart. What stands for the first part may not be the first of it.
        let part = Self.defaultSeconds / Double(ScalingChart.maxPoints)
        range = min(max(range.lowerBound, now - first.ageSeconds - part), end - 1)...end
        decisions = try await store.scalingDecisions(within: range, parts: ScalingChart.maxPoints)
      }
      let chart = ScalingChart(
        title: "sluice: work and workers, \(Self.stamp(range.lowerBound)) to \(Self.stamp(range.upperBound))",
        range: range, now: now, decisions: decisions,
        missed: try await store.missedDeadlines(within: range, parts: ScalingChart.maxPoints))
      guard chart.count > 0 else {
        throw StageFailure(
          code: "no_decisions",
          message: "no decision from \(Self.stamp(range.lowerBound)) to \(Self.stamp(range.upperBound)) is kept",
          hint: "decisions are kept for 14 days, and made while a control with scaling: runs; choose another time with "
            + "--from and --to")
      }
      guard path != Self.standardOutput else { return Console.data(String(chart.svg.dropLast())) }
      do { try Data(chart.svg.utf8).write(to: URL(filePath: path)) } catch {
        throw StageFailure(
          code: "chart_not_written", message: "\(path) cannot be written",
          hint: "name a file in a folder that is there and that you may write to")
      }
      if options.json {
        Console.data(
          json: .object([
            ("chart", .text(path)), ("decisions", .int(Int64(chart.count))),
            ("from", .text(Self.stamp(range.lowerBound))), ("to", .text(Self.stamp(range.upperBound))),
          ]))
      } else {
        Console.data(
          "\(path): \(chart.count) \(chart.count == 1 ? "decision" : "decisions"), \(Self.stamp(range.lowerBound)) to \(Self.stamp(range.upperBound))"
        )
      }
    }
  }

  /// What is not a regular file is not replaced by one.
  private static func check(_ path: String) throws {
    guard let attributes = try? FileManager.default.attributesOfItem(atPath: path),
      let type = attributes[.type] as? FileAttributeType, type != .typeRegular
    else { return }
    throw StageFailure(
      code: "chart_not_written",
      message: "\(path) is \(type == .typeDirectory ? "a folder" : "no regular file")",
      hint: "name a file, such as scaling.svg, or - for standard output")
  }

  private static func stamp(_ seconds: Double) -> String {
    Date(timeIntervalSince1970: seconds.rounded(.down)).formatted(.iso8601)
  }
}
