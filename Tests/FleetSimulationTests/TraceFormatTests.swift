import FleetSimulation
import Foundation
import Testing

@Suite struct TraceFormatTests {
  static let header =
    #"{"trace": "t", "seconds": 3600, "start_seconds": 45, "memory_gb": 64, "checkpoint_seconds": 120, "grace_seconds": 30, "max_workers": 60}"#

  private func read(_ text: String, note: (String) -> Void = { _ in }) throws -> ScalingTrace {
    let folder = FileManager.default.temporaryDirectory.path + "/sluice-trace-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let path = folder + "/trace.ndjson"
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    return try ScalingTrace.read(file: path, note: note)
  }

  @Test("a trace is read as the format says")
  func format() throws {
    let trace = try read(
      Self.header + "\n"
        + #"{"at": 12.5, "kind": "curate", "seconds": 61.0, "memory_gb": 1.2, "deadline": 1800, "predicted_seconds": 55.0, "predicted_memory_gb": 1.3}"#
        + "\n" + #"{"at": 3600, "event": "crash", "seconds": 600, "count": 3}"# + "\n\r\n"
        + #"{"at": 1, "kind": "load", "seconds": 2, "memory_gb": 0, "deadline": null}"#)
    #expect(
      trace.header
        == .init(
          trace: "t", seconds: 3600, startSeconds: 45, memoryGB: 64, checkpointSeconds: 120, graceSeconds: 30,
          maxWorkers: 60))
    #expect(
      trace.jobs == [
        .init(at: 1, kind: "load", seconds: 2, memoryGB: 0),
        .init(
          at: 12.5, kind: "curate", seconds: 61, memoryGB: 1.2, deadline: 1800, predictedSeconds: 55,
          predictedMemoryGB: 1.3),
      ])
    #expect(trace.events == [.init(at: 3600, kind: .crash, seconds: 600, count: 3)])
  }

  @Test("what is written reads as the same trace")
  func roundTrip() throws {
    var trace = try read(Self.header)
    trace.header.trace = "a \"name\"\\\n\u{1}ü"
    trace.header.slots = 3
    trace.jobs = [
      .init(at: 0.1, kind: "a\tb", seconds: 1.0 / 3, memoryGB: 1e-7, deadline: 12, predictedSeconds: 3),
      .init(at: 7, kind: "b", seconds: 8, memoryGB: 1.5, predictedMemoryGB: 2),
    ]
    trace.events = [.init(at: 3, kind: .deploy), .init(at: 9, kind: .metricsGap, seconds: 60)]
    var text = ""
    trace.write { text += $0 + "\n" }
    #expect(try read(text) == trace)
  }

  @Test(
    "a faulty line is refused with its file and line",
    arguments: [
      (#"{"at": 1, "kind": "a", "seconds": 1, "memory_gb": 1"#, "ends early"),
      (#"{"at": 1, "kind": "a", "seconds": NaN, "memory_gb": 1}"#, "invalid JSON"),
      (#"{"at": 1, "kind": "a", "seconds": Infinity, "memory_gb": 1}"#, "invalid JSON"),
      (#"{"at": 1, "kind": "a", "seconds": 1e999, "memory_gb": 1}"#, "seconds must be 0 to"),
      (#"{"at": 1, "kind": "a", "seconds": -1, "memory_gb": 1}"#, "seconds must be 0 to"),
      (#"{"at": -0.5, "kind": "a", "seconds": 1, "memory_gb": 1}"#, "at must be 0 to"),
      (#"{"at": 1, "kind": "a", "seconds": 1, "memory_gb": 1e7}"#, "memory_gb must be 0 to"),
      (#"{"at": 1, "kind": "a", "seconds": 1, "memory_gb": 1, "deadline": -3}"#, "deadline must be 0 to"),
      (#"{"at": 1, "kind": "a", "seconds": "1", "memory_gb": 1}"#, "seconds must be a number"),
      (#"{"at": true, "kind": "a", "seconds": 1, "memory_gb": 1}"#, "at must be a number"),
      (#"{"at": 1, "kind": 7, "seconds": 1, "memory_gb": 1}"#, "kind must be a text"),
      (#"{"at": 1, "kind": "", "seconds": 1, "memory_gb": 1}"#, "kind is empty"),
      (#"{"at": 1, "seconds": 1, "memory_gb": 1}"#, "kind is missing"),
      (#"{"at": 1, "kind": "a", "seconds": null, "memory_gb": 1}"#, "seconds is missing"),
      (#"{"at": 1, "at": 2, "kind": "a", "seconds": 1, "memory_gb": 1}"#, "at stands twice"),
      (#"{"at": [1], "kind": "a", "seconds": 1, "memory_gb": 1}"#, "a value is a list"),
      (#"{"at": {}, "kind": "a", "seconds": 1, "memory_gb": 1}"#, "a value is an object"),
      (#"{"at": 1, "kind": "a", "seconds": 1, "memory_gb": 1} {}"#, "invalid JSON"),
      (#"[1]"#, "this is a list"),
      (#""text""#, "this is a single value"),
      (#"{"at": 1, "event": "storm"}"#, "event must be one of metrics_gap, crash, deploy"),
      (#"{"at": 1, "event": "crash", "count": 1.5}"#, "count must be a whole number"),
      (#"{"at": 1, "event": "crash", "count": -1}"#, "count must be 0 to"),
      (Self.header, "a second header"),
    ])
  func faults(line: String, message: String) throws {
    let error = try #require(throws: ScalingTraceError.self) { try read(Self.header + "\n\n" + line + "\n") }
    #expect(error.message.contains(message), "\(error.message)")
    #expect(error.at?.hasSuffix("trace.ndjson:3") == true)
    #expect(error.code == "usage")
  }

  @Test(
    "a faulty header is refused",
    arguments: [
      ("", "the trace is empty"),
      (#"{"at": 1, "kind": "a", "seconds": 1, "memory_gb": 1}"#, "the first line must be the header"),
      (header.replacingOccurrences(of: "60}", with: "0}"), "max_workers must be 1 to"),
      (header.replacingOccurrences(of: "64", with: "0"), "memory_gb must be"),
      (header.replacingOccurrences(of: "3600", with: "1e9"), "seconds must be 0 to"),
      (header.replacingOccurrences(of: #""grace_seconds": 30, "#, with: ""), "grace_seconds is missing"),
      (header.replacingOccurrences(of: "60}", with: "60, \"slots\": 0}"), "slots must be 1 to"),
    ])
  func headers(text: String, message: String) throws {
    let error = try #require(throws: ScalingTraceError.self) { try read(text) }
    #expect(error.message.contains(message), "\(error.message)")
    #expect(error.at?.hasSuffix(":1") == true)
  }

  @Test("a line that does not end is refused before it fills the memory")
  func longLine() throws {
    let text = Self.header + "\n" + String(repeating: " ", count: 400_000)
    let error = try #require(throws: ScalingTraceError.self) { try read(text) }
    #expect(error.message.contains("longer than"))
  }

  @Test("a file that is not there says how to make one")
  func missing() throws {
    let error = try #require(throws: ScalingTraceError.self) {
      try ScalingTrace.read(file: "/nowhere/trace.ndjson", note: { _ in })
    }
    #expect(error.message.contains("/nowhere/trace.ndjson"))
    #expect(error.hint?.contains("sluice autoscale generate") == true)
  }

  @Test("a field that the format does not have changes nothing and is told once, with the nearest name")
  func unknownField() throws {
    var notes: [String] = []
    let line = #"{"at": 1, "kind": "a", "seconds": 1, "memory_gb": 1, "dedline": 5}"#
    let trace = try read([Self.header, line, line].joined(separator: "\n")) { notes.append($0) }
    #expect(trace.jobs.count == 2)
    #expect(notes.count == 1)
    #expect(notes.first?.contains(":2: ") == true)
    #expect(notes.first?.contains("did you mean \"deadline\"?") == true)
  }
}
