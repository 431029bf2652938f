import JobStore

/// What was decided over time, as an SVG: jobs that wait, workers, memory and missed deadlines. Pure.
package struct ScalingChart: Sendable {
  /// Points of each line.
  package static let maxPoints = 600
  /// A process that decides stores its decision each minute: after a longer time none did.
  private static let longestGap = 150.0

  private struct Point {
    var at: Double
    var decision: JobStore.ScalingDecisionRecord
    var report: ScalingReport
  }

  /// What the chart is of.
  private let title: String
  /// Seconds since 1970.
  private let range: ClosedRange<Double>
  private let missed: [(at: Double, runs: Int)]
  private let points: [Point]

  /// Decisions that are drawn.
  package var count: Int { points.count }

  /// - Parameters:
  ///   - title: Text from outside.
  ///   - range: Seconds since 1970.
  ///   - now: The same, when the ages of the decisions were taken.
  ///   - decisions: The oldest first. What another engine wrote and this one cannot read is left out.
  ///   - missed: Runs that missed their deadline, by time.
  package init(
    title: String, range: ClosedRange<Double>, now: Double, decisions: [JobStore.ScalingDecisionRecord],
    missed: [(at: Double, runs: Int)]
  ) {
    self.title = title
    self.range = range
    self.missed = missed
    points = decisions.suffix(Self.maxPoints).compactMap { decision in
      (try? ScalingReport(json: decision.inputs)).map {
        Point(at: now - decision.ageSeconds, decision: decision, report: $0)
      }
    }
  }

  package var svg: String {
    let panels = [waiting(top: 84), workers(top: 264), memory(top: 444), deadlines(top: 624)]
    let width = ChartPanel.number(ChartPanel.width)
    let lines =
      [
        #"<?xml version="1.0" encoding="UTF-8"?>"#,
        #"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \#(width) 800" width="\#(width)" height="800" role="img">"#,
        "<title>\(XMLText.escaped(title))</title>", Self.style,
        #"<rect class="page" width="\#(width)" height="800"/>"#,
        #"<text class="title" x="20" y="32">\#(XMLText.escaped(title))</text>"#,
      ] + panels.flatMap(\.svg) + [
        #"<text class="mark" text-anchor="middle" x="\#(ChartPanel.number(ChartPanel.width / 2))" y="788">time (UTC)</text>"#,
        "</svg>",
      ]
    return lines.joined(separator: "\n") + "\n"
  }

  /// Colours for a light and a dark page; lines also differ by their dashes.
  private static let style = """
    <style>
    text { font: 12px system-ui, sans-serif; fill: #1f2937 }
    .title { font-size: 18px } .head { font-weight: 600 } .mark { fill: #4b5563; font-size: 11px }
    path { fill: none; stroke-width: 1.6 } .page { fill: #ffffff } .grid { stroke: #e5e7eb; stroke-width: 1 }
    .first { stroke: #1d4ed8 } .second { stroke: #c2410c; stroke-dasharray: 5 3 } .third { stroke: #047857; stroke-dasharray: 1 3 }
    .limit { stroke: #6b7280; stroke-dasharray: 9 4 } .note { fill: #1d4ed8 }
    @media (prefers-color-scheme: dark) {
    text { fill: #e5e7eb } .mark { fill: #9ca3af } .page { fill: #111827 } .grid { stroke: #374151 }
    .first { stroke: #93c5fd } .second { stroke: #fdba74 } .third { stroke: #6ee7b7 } .limit { stroke: #9ca3af } .note { fill: #93c5fd }
    }
    </style>
    """

  // MARK: - Diagrams

  private func waiting(top: Double) -> ChartPanel {
    let queued = line { Double($0.report.stages.reduce(0) { $0 + $1.queued }) }
    let running = line { Double($0.report.stages.reduce(0) { $0 + $1.running }) }
    return panel(
      "jobs", top, ChartAxis.counts,
      [
        ChartPanel.Series(name: "ready", style: .first, points: queued),
        ChartPanel.Series(name: "running", style: .second, points: running),
      ])
  }

  private func workers(top: Double) -> ChartPanel {
    var panel = panel(
      "workers", top, ChartAxis.counts,
      [
        ChartPanel.Series(name: "wanted", style: .first, points: line { Double($0.decision.total) }),
        ChartPanel.Series(name: "asked for by the work", style: .second, points: line { Double($0.decision.demanded) }),
        ChartPanel.Series(
          name: "there", style: .third,
          points: line { Double($0.report.releases.reduce(0) { $0 + $1.workers + $1.draining }) }),
      ])
    // What the work asks for may be a hundred times what the limits allow: it is cut off at twice the count.
    let most = points.map { max($0.decision.total, $0.report.releases.reduce(0) { $0 + $1.workers }) }.max() ?? 0
    panel.values = ChartAxis.counts(
      upTo: min(panel.values.range.upperBound, 2 * Double(max(1, most))))
    var last: Int?
    for point in points where point.decision.total != last {
      last = point.decision.total
      let reason = point.decision.reasons.first.map { ": \($0)" } ?? ""
      panel.notes.append(
        (point.at, Double(point.decision.total), "\(point.decision.decidedAt) \(point.decision.total)\(reason)"))
    }
    return panel
  }

  private func memory(top: Double) -> ChartPanel {
    panel(
      "memory", top, ChartAxis.bytes,
      [
        ChartPanel.Series(
          name: "in use on the machine, by all programs", style: .first, points: line { $0.report.memoryUsed }),
        ChartPanel.Series(name: "expected of running jobs", style: .second, points: line { $0.report.memoryExpected }),
        ChartPanel.Series(name: "limit for workers and jobs", style: .limit, points: line { $0.report.memoryLimit }),
      ])
  }

  private func deadlines(top: Double) -> ChartPanel {
    panel(
      "deadlines", top, ChartAxis.counts,
      [
        ChartPanel.Series(
          name: "runs that missed theirs", style: .first, points: missed.map { ($0.at, Double($0.runs)) }, isBars: true),
        ChartPanel.Series(
          name: "kinds of jobs expected to be late", style: .second, points: line { Double($0.report.warnings.count) }),
      ])
  }

  private func panel(
    _ title: String, _ top: Double, _ axis: (Double) -> ChartAxis, _ series: [ChartPanel.Series]
  ) -> ChartPanel {
    let highest = series.flatMap(\.points).compactMap(\.value).filter(\.isFinite).max() ?? 0
    return ChartPanel(
      title: title, values: axis(highest), times: ChartAxis.times(range), series: series, top: top)
  }

  /// The values over time, with nothing where no process decided.
  private func line(_ value: (Point) -> Double?) -> [(at: Double, value: Double?)] {
    let gap = max(Self.longestGap, 2.5 * (range.upperBound - range.lowerBound) / Double(Self.maxPoints))
    var line: [(at: Double, value: Double?)] = []
    for point in points {
      if let last = line.last, point.at - last.at > gap { line.append((last.at + gap, nil)) }
      line.append((point.at, value(point)))
    }
    if let last = line.last { line.append((min(last.at + gap, range.upperBound), nil)) }
    return line
  }
}
