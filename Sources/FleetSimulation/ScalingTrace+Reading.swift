import Glibc
import JobModel
import PipelineDefinition

extension ScalingTrace {
  private static let pieceBytes = 256 * 1024

  /// Reads a trace file; `-` is standard input.
  ///
  /// Lines of jobs and events may come in any order. Blocks; memory is bounded by ``Bounds/lines``.
  ///
  /// - Parameter note: Told of fields that the format does not have, once for each name: they change nothing.
  /// - Throws: ``ScalingTraceError`` with file and line.
  package static func read(file path: String, note: (String) -> Void = { _ in }) throws -> ScalingTrace {
    let name = path == "-" ? "standard input" : path
    guard let file = fopen(path == "-" ? "/dev/stdin" : path, "rbe") else {
      throw ScalingTraceError(
        message: "cannot read the trace \(path): \(String(cString: strerror(errno)))",
        hint: "write one: sluice autoscale generate spikes > \(path)")
    }
    defer { fclose(file) }
    var reading = TraceReading(file: name)
    var piece = [UInt8](repeating: 0, count: pieceBytes)
    while true {
      let count = fread(&piece, 1, pieceBytes, file)
      if count == 0 { break }
      try piece.withUnsafeBufferPointer {
        try reading.take(UnsafeBufferPointer(rebasing: $0[..<count]), note: note)
      }
    }
    guard ferror(file) == 0 else {
      throw ScalingTraceError(message: "cannot read the trace \(name): \(String(cString: strerror(errno)))")
    }
    return try reading.finish(note: note)
  }
}

/// A trace file as it streams by.
struct TraceReading {
  let file: String
  private let line = TraceLine()
  private var number = 0
  private var begun: [UInt8] = []
  private var header: ScalingTrace.Header?
  private var jobs: [ScalingTrace.Job] = []
  private var events: [ScalingTrace.Event] = []
  private var told: Set<String> = []

  init(file: String) { self.file = file }

  mutating func take(_ bytes: UnsafeBufferPointer<UInt8>, note: (String) -> Void) throws {
    var rest = bytes[...]
    while let end = rest.firstIndex(of: 0x0A) {
      if begun.isEmpty {
        try endLine(UnsafeBufferPointer(rebasing: rest[..<end]), note: note)
      } else {
        begun.append(contentsOf: rest[..<end])
        try endBegun(note: note)
      }
      rest = rest[(end + 1)...]
    }
    begun.append(contentsOf: rest)
    if begun.count > ScalingTrace.Bounds.lineBytes {
      number += 1
      throw fault(TraceFault("the line is longer than \(ScalingTrace.Bounds.lineBytes) bytes"))
    }
  }

  mutating func finish(note: (String) -> Void) throws -> ScalingTrace {
    try endBegun(note: note)
    guard let header else {
      throw ScalingTraceError(
        message: "the trace is empty", hint: "its first line is {\"trace\": …}: see docs/scaling.md", at: "\(file):1")
    }
    // By position where two are at the same time: the file's order.
    return ScalingTrace(
      header: header,
      jobs: jobs.enumerated().sorted { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }.map(\.element),
      events: events.enumerated().sorted { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }.map(\.element))
  }

  private mutating func endBegun(note: (String) -> Void) throws {
    let bytes = begun
    begun.removeAll(keepingCapacity: true)
    try bytes.withUnsafeBufferPointer { try endLine($0, note: note) }
  }

  private mutating func endLine(_ bytes: UnsafeBufferPointer<UInt8>, note: (String) -> Void) throws {
    number += 1
    var bytes = bytes
    if number == 1, bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes = UnsafeBufferPointer(rebasing: bytes[3...]) }
    guard bytes.contains(where: { $0 > 0x20 }) else { return }
    do {
      guard bytes.count <= ScalingTrace.Bounds.lineBytes else {
        throw TraceFault("the line is longer than \(ScalingTrace.Bounds.lineBytes) bytes")
      }
      try line.read(bytes)
      try add()
    } catch let fault as TraceFault {
      throw self.fault(fault)
    }
    for name in line.unknown where told.count < 20 && told.insert(name).inserted {
      let nearest = Spelling.didYouMean(name, among: TraceLine.Field.allCases.map(\.rawValue)).map { "; \($0)" } ?? ""
      note("\(file):\(number): the field \"\(name)\" is not part of the format and changes nothing\(nearest)")
    }
  }

  private func fault(_ fault: TraceFault) -> ScalingTraceError {
    ScalingTraceError(message: fault.message, hint: "the format: docs/scaling.md", at: "\(file):\(number)")
  }

  private mutating func add() throws {
    guard header != nil else {
      guard line.has(.trace) else { throw TraceFault("the first line must be the header, {\"trace\": …}") }
      header = try readHeader()
      return
    }
    guard !line.has(.trace) else { throw TraceFault("a second header: a file holds one trace") }
    guard jobs.count + events.count < ScalingTrace.Bounds.lines else {
      throw TraceFault("the trace has more than \(ScalingTrace.Bounds.lines) jobs and events")
    }
    if line.has(.event) { try events.append(readEvent()) } else { try jobs.append(readJob()) }
  }

  private func readHeader() throws -> ScalingTrace.Header {
    let seconds = ScalingTrace.Bounds.seconds
    return try ScalingTrace.Header(
      trace: line.text(.trace), seconds: line.number(.seconds, ScalingTrace.Bounds.traceSeconds),
      startSeconds: line.number(.startSeconds, seconds),
      memoryGB: line.number(.memoryGB, 0.001...ScalingTrace.Bounds.memoryGB.upperBound),
      checkpointSeconds: line.number(.checkpointSeconds, seconds), graceSeconds: line.number(.graceSeconds, seconds),
      maxWorkers: line.count(.maxWorkers, ScalingTrace.Bounds.workers),
      slots: line.optionalCount(.slots, ScalingTrace.Bounds.slots) ?? 1)
  }

  private func readJob() throws -> ScalingTrace.Job {
    let (seconds, memoryGB) = (ScalingTrace.Bounds.seconds, ScalingTrace.Bounds.memoryGB)
    return try ScalingTrace.Job(
      at: line.number(.at, ScalingTrace.Bounds.traceSeconds), kind: line.text(.kind),
      seconds: line.number(.seconds, seconds),
      memoryGB: line.number(.memoryGB, memoryGB), deadline: line.optional(.deadline, seconds),
      predictedSeconds: line.optional(.predictedSeconds, seconds),
      predictedMemoryGB: line.optional(.predictedMemoryGB, memoryGB))
  }

  private func readEvent() throws -> ScalingTrace.Event {
    let name = try line.text(.event)
    guard let kind = ScalingTrace.Event.Kind(rawValue: name) else {
      let known = ScalingTrace.Event.Kind.allCases.map(\.rawValue).joined(separator: ", ")
      throw TraceFault("event must be one of \(known)")
    }
    let seconds = ScalingTrace.Bounds.seconds
    return try ScalingTrace.Event(
      at: line.number(.at, ScalingTrace.Bounds.traceSeconds), kind: kind,
      seconds: line.optional(.seconds, seconds) ?? 0,
      count: line.optionalCount(.count, 0...ScalingTrace.Bounds.workers.upperBound))
  }
}
