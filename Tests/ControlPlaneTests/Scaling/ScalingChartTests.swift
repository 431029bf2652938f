import Autoscaling
import Foundation
import FoundationXML
import Testing

@testable import ControlPlane
@testable import JobStore

@Suite("The chart of decisions")
struct ScalingChartTests {
  /// What an XML parser finds.
  private final class Reading: NSObject, XMLParserDelegate {
    var elements: [(name: String, attributes: [String: String])] = []
    /// Of each element, without those in it.
    var texts: [String] = []
    private var open: [Int] = []

    func parser(
      _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
      attributes: [String: String]
    ) {
      elements.append((name, attributes))
      texts.append("")
      open.append(texts.count - 1)
    }

    func parser(_ parser: XMLParser, foundCharacters string: String) {
      if let last = open.last { texts[last] += string }
    }

    func parser(_ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?) {
      open.removeLast()
    }

    func paths(_ style: String) -> [String] {
      elements.filter { $0.name == "path" && $0.attributes["class"] == style }.compactMap { $0.attributes["d"] }
    }
  }

  private func read(_ chart: ScalingChart) throws -> Reading {
    let reading = Reading()
    let parser = XMLParser(data: Data(chart.svg.utf8))
    parser.delegate = reading
    let isXML = parser.parse()
    try #require(isXML, "\(parser.parserError.map { "\($0)" } ?? "") \(chart.svg.prefix(2000))")
    return reading
  }

  private func decision(
    _ total: Int, age: Double, reasons: [String] = [], queued: Int = 0, memory: Double? = nil
  ) throws -> JobStore.ScalingDecisionRecord {
    var inputs = ScalingInputs(seconds: 0)
    var lane = LaneLoad(release: "7", kind: "load", stage: "load")
    lane.queued = [
      QueuedClass(deadline: nil, jobs: queued, seconds: Estimate(exactly: 1), memoryBytes: Estimate(exactly: 1))
    ]
    inputs.lanes = [lane]
    var report = ScalingReport(inputs, decision: ScalingPolicy().decide(inputs), bases: [:], troubles: [:])
    report.memoryUsed = memory
    return JobStore.ScalingDecisionRecord(
      id: 1, epoch: 1, decidedAt: "2026-11-30 08:00:00+00", ageSeconds: age, total: total, demanded: total,
      counts: [7: total], stops: [], drains: [], reasons: reasons, limitedBy: nil, inputs: try report.json)
  }

  /// 2026-11-30T00:00:00Z.
  private let midnight = 1_796_000_000.0 - 1_796_000_000.0.truncatingRemainder(dividingBy: 86_400)

  private func chart(
    _ decisions: [JobStore.ScalingDecisionRecord], title: String = "t", hours: Double = 24,
    missed: [(at: Double, runs: Int)] = []
  ) -> ScalingChart {
    let end = midnight + hours * 3600
    return ScalingChart(title: title, range: midnight...end, now: end, decisions: decisions, missed: missed)
  }

  @Test("it is XML with jobs, workers, memory and deadlines, axes with units and times in UTC")
  func whole() throws {
    let minutes = try (0..<60).map {
      try decision($0 / 10, age: 3600 - Double($0) * 60, queued: $0 * 100, memory: 4.2e9)
    }
    let reading = try read(chart(minutes, missed: [(midnight + 80_000, 3)]))
    for text in [
      "jobs", "workers", "memory", "deadlines", "runs that missed theirs", "in use on the machine, by all programs",
      "time (UTC)", "wanted", "6000", "4 GB", "12:00", "2026-11-30",
    ] {
      #expect(reading.texts.contains(text), "\(text): \(reading.texts)")
    }
    #expect(reading.paths("first").count == 4 + 4, "a line or bars and a legend for each diagram")
    #expect(reading.elements.count { $0.name == "circle" } == 6, "one for each change of the count")
    let style = try #require(reading.texts.first { $0.contains("prefers-color-scheme: dark") })
    #expect(style.contains(".page { fill: #ffffff }") && style.contains(".page { fill: #111827 }"))
  }

  @Test(
    "text from outside stays text",
    arguments: [
      #"</title><script>alert("1")</script>"#, "a & b < c > d \" e ' f", "]]>", "<!-- x -->", "&amp;#60;",
    ])
  func hostile(text: String) throws {
    let reading = try read(chart([try decision(1, age: 60, reasons: [text])], title: text))
    #expect(Set(reading.elements.map(\.name)) == ["svg", "title", "style", "rect", "text", "path", "circle"])
    #expect(reading.texts.contains(text))
    #expect(reading.texts.contains { $0.hasSuffix(": " + text) }, "the reason of the count")
  }

  @Test("characters that XML does not allow, or that turn text around, are replaced")
  func control() throws {
    let reading = try read(chart([try decision(1, age: 60)], title: "a\u{0}b\u{1B}[2Jc\u{FFFE}d\u{202E}e\nf"))
    #expect(reading.texts.contains("a\u{FFFD}b\u{FFFD}[2Jc\u{FFFD}d\u{FFFD}e f"))
  }

  @Test("the number of points is bounded, and no number that is none is drawn")
  func bounded() throws {
    let many = try (0..<5000).map { try decision($0 % 7, age: 86_400 - Double($0) * 17) }
    let drawn = chart(many)
    #expect(drawn.count == ScalingChart.maxPoints)
    #expect(drawn.svg.utf8.count < 200_000)
    var odd = try decision(Int.max, age: .nan, queued: Int.max, memory: -.greatestFiniteMagnitude)
    for age in [0.0, .infinity, -.infinity, 1e300] {
      odd.ageSeconds = age
      let reading = try read(chart([odd, odd]))
      let places = reading.elements.flatMap { element in
        ["d", "x", "y", "cx", "cy"].compactMap { element.attributes[$0] }
      }
      #expect(places.allSatisfy { !$0.contains("n") && !$0.contains("i") && !$0.contains("e") }, "\(age): \(places)")
    }
    var foreign = odd
    foreign.inputs = "{}"
    #expect(chart([foreign]).count == 0)
  }

  @Test("a demand far above the count does not flatten the count")
  func demand() throws {
    var decisions = try (1...4).map { try decision($0, age: 600 - Double($0) * 60) }
    decisions[3].demanded = 5000
    let texts = try read(chart(decisions)).texts
    #expect(texts.contains("8") && !texts.contains("6000"), "\(texts)")
  }

  @Test("where no process decided the line has a gap")
  func gap() throws {
    let apart = try [7200.0, 7140, 600, 540].map { try decision(2, age: $0) }
    let wanted = try #require(try read(chart(apart)).paths("first").first { $0.count { $0 == "M" } == 2 })
    #expect(wanted.contains("H"))
    let together = try [660.0, 600, 540].map { try decision(2, age: $0) }
    #expect(try read(chart(together)).paths("first").allSatisfy { $0.count { $0 == "M" } <= 1 })
  }

  @Test(
    "an axis of counts has round marks, and whole numbers only",
    arguments: [
      (0.0, "0 1"), (1.0, "0 1"), (3.0, "0 1 2 3"), (7.0, "0 2 4 6 8"), (60.0, "0 20 40 60"),
      (5000.0, "0 2000 4000 6000"),
      (1e6, "0 500k 1M"), (Double.nan, "0 1"), (Double.infinity, "0 1"), (-5.0, "0 1"),
    ])
  func counts(highest: Double, marks: String) {
    #expect(ChartAxis.counts(upTo: highest).marks.map(\.text).joined(separator: " ") == marks)
  }

  @Test(
    "an axis of bytes says its unit at each mark",
    arguments: [
      (3.2e9, "0 B, 1 GB, 2 GB, 3 GB, 4 GB"), (7e8, "0 B, 200 MB, 400 MB, 600 MB, 800 MB"), (0.0, "0 B, 1 B"),
    ])
  func bytes(highest: Double, marks: String) {
    #expect(ChartAxis.bytes(upTo: highest).marks.map(\.text).joined(separator: ", ") == marks)
  }

  @Test(
    "an axis of time has at most eight steps, whatever its length",
    arguments: [1.0, 59.0, 600.0, 3600.0, 86_400.0, 1_209_600.0, 4e8, 1e10] as [Double])
  func times(seconds: Double) {
    let axis = ChartAxis.times(midnight...(midnight + seconds))
    #expect((1...10).contains(axis.marks.count), "\(axis.marks.map(\.text))")
    #expect(axis.marks.allSatisfy { axis.range.contains($0.value) })
    #expect(Set(axis.marks.map(\.text)).count == axis.marks.count)
  }
}
