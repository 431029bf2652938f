import Catalog
import FoundationEssentials
import JobModel
import JobStore
import ObjectStore
import PipelineDefinition

/// The checkpoints `ingest.files/1` and, of a part of the files, `ingest.files-part/1`: how far a sorted list of files has been taken.
struct FilesPullState: Sendable, Codable, Equatable {
  /// The last path that was taken or found to be known; nil: none yet.
  var after: String?
  var objects = 0
  var bytes: Int64 = 0
  var records: Int64 = 0
  /// Nil: all files.
  var part: FilesPart?

  init() {}
  init(_ part: FilesPart) {
    self.part = part
    after = part.after
  }
  /// - Throws: Also for counts that no pull has, so that none can overflow.
  init(json: String) throws {
    self = try JSONDecoder().decode(FilesPullState.self, from: Data(json.utf8))
    guard PulledStep.areCounts([Int64(objects), bytes, records]) else { throw CheckpointCounts() }
    if let part {
      guard objects < FilesPart.objects, (2...JobStore.maximumParts).contains(part.count),
        (0..<part.count).contains(part.number)
      else { throw CheckpointCounts() }
    }
  }

  var json: String {
    get throws {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
  }
}

/// The matching files of one stream, one a step, copied byte for byte.
struct FilesPull: Pull {
  /// A file that changes during this many readings is being written, and not finished soon.
  static let maximumReadings = 5

  let directory: SourceDirectory
  let match: String
  /// Those that earlier runs took; empty where every match is read each time.
  let seen: Set<SeenFile>
  let format: RecordFormat
  let timing: PullTiming
  let context: PullContext
  /// In the order in which they are taken.
  let files: [SourceFile]
  /// Entries that match and that are never read: links, pipes, devices.
  let leftOut: [String]
  /// Each with the reason.
  let foldersNotRead: [String]
  let limit: BodyLimit
  var state: FilesPullState

  private var position = 0
  private var known = 0

  init(
    directory: SourceDirectory, match: String, seen: Set<SeenFile>, format: RecordFormat, timing: PullTiming,
    context: PullContext, files: [SourceFile], leftOut: [String], foldersNotRead: [String],
    limit: BodyLimit, state: FilesPullState
  ) {
    self.directory = directory
    self.match = match
    self.seen = seen
    self.format = format
    self.timing = timing
    self.context = context
    self.files = files
    self.leftOut = leftOut
    self.foldersNotRead = foldersNotRead
    self.limit = limit
    self.state = state
    sizes = Dictionary(grouping: seen) { ExactText($0.path) }.mapValues { Set($0.map(\.bytes)) }
  }

  /// Sizes that a path was seen with: only such a file must be hashed before it is known to be new.
  private let sizes: [ExactText: Set<Int64>]

  var newCursor: String? { nil }
  var partCount: Int? { state.part?.count }

  func parts(by rule: PartRule) throws -> [String] {
    guard state == FilesPullState() else { return [] }
    let cuts = rule.cuts(files.map { sizes[ExactText($0.path)]?.contains($0.bytes) == true ? nil : $0.bytes })
    guard !cuts.isEmpty else { return [] }
    return try FilesPart.parts(endingAt: cuts.map { files[$0].path }).map { try FilesPullState($0).json }
  }

  var remark: String? {
    let parts = [progressRemark, leftOutRemark, foldersRemark].compactMap { $0 }
    return parts.isEmpty ? nil : "\(context.label): " + parts.joined(separator: "; ")
  }

  private var progressRemark: String? {
    // What one part found says nothing of the whole.
    guard state.objects == 0, state.part == nil else { return nil }
    return files.isEmpty
      ? "no file in \(directory.root) matches \(match)" : "nothing new among \(files.count) files that match \(match)"
  }

  private var leftOutRemark: String? {
    guard let first = leftOut.first else { return nil }
    let others = leftOut.count > 1 ? " and \(leftOut.count - 1) more" : ""
    return "links, pipes, devices and names that are not UTF-8 are not read: \(first)\(others)"
  }

  private var foldersRemark: String? {
    guard let first = foldersNotRead.first else { return nil }
    let others = foldersNotRead.count > 1 ? " and \(foldersNotRead.count - 1) more" : ""
    return "these folders are not read: \(first)\(others)"
  }

  mutating func next() async throws -> PulledStep? {
    while position < files.count {
      let file = files[position]
      position += 1
      if let after = state.after, !after.utf8.lexicographicallyPrecedes(file.path.utf8) { continue }
      if context.shouldYield() { throw JobYield() }
      try Task.checkCancellation()
      if try await isKnown(file) {
        known += 1
        continue
      }
      guard let (object, staged, hint) = try await take(file.path) else { continue }
      state.objects += 1
      if let broken = object.broken {
        return PulledStep(
          object: object, staged: staged, state: try state.json, fault: failure(of: object, broken, hint))
      }
      state.after = file.path
      state.bytes += object.bytes
      state.records += object.records ?? 0
      tell(bytes: 0, note: nil)
      return PulledStep(object: object, staged: staged, state: try state.json)
    }
    tell(bytes: 0, note: remark)
    return nil
  }

  /// Whether an earlier run took a file of this path, size and hash.
  private func isKnown(_ file: SourceFile) async throws -> Bool {
    guard sizes[ExactText(file.path)]?.contains(file.bytes) == true else { return false }
    do {
      let (bytes, hash) = try await BlockingIO.run { [directory] in try FileHash.hash(directory.reader(of: file.path)) }
      return seen.contains(SeenFile(path: file.path, bytes: bytes, sha256: hash))
    } catch is FileReader.Missing {
      return false
    } catch let error as SourceDirectory.Unreadable {
      throw error.failure(label: context.label)
    }
  }

  /// Copies a file into the raw zone as it is at one moment; nil where it is gone.
  private func take(_ path: String) async throws -> (NewRawObject, StagedObject, hint: String?)? {
    for reading in 0..<Self.maximumReadings {
      guard let before = await look(at: path) else { return nil }
      // A file that changed is given a moment: 0.2 s, 0.4 s, … in which its writer may finish.
      if reading > 0 {
        try await context.waiting(for: .source) { try await timing.sleep(.milliseconds(200 << (reading - 1))) }
      }
      let sequence = (state.part?.firstSequence ?? 0) + state.objects
      let key = try context.keys.key(sequence: sequence, extension: Self.fileExtension(path, format))
      do {
        let compression = Self.compression(path)
        let monitor = try BodyMonitor(format: format, isCompressed: compression != nil)
        let staged = try await copy(before, to: key, monitor)
        let stored = staged.object
        let report = monitor.finish()
        let object = NewRawObject(
          sequence: sequence, key: key.text, bytes: stored.bytes, sha256: stored.sha256, request: path,
          originBytes: stored.bytes, originSHA256: stored.sha256, records: report.records,
          broken: try await fault(report, compression, staged))
        return (object, staged, report.hint)
      } catch is FileReader.Missing { return nil } catch is Changed { continue } catch let error
        as SourceDirectory.Unreadable
      {
        throw error.failure(label: context.label)
      }
    }
    throw StageFailure(
      code: "source_changes",
      message: "\(context.label): \(path) changed during each of \(Self.maximumReadings) readings",
      hint: "let its writer write to another name and rename the finished file", isTransient: true)
  }

  private struct Changed: Error {}

  private func fault(_ report: BodyReport, _ compression: String?, _ staged: StagedObject) async throws -> String? {
    if let fault = report.fault { return fault }
    guard let compression, let path = staged.localPath else { return nil }
    return try await CompressedBody.fault(of: path, compression: compression)
  }

  private func failure(of object: NewRawObject, _ fault: String, _ hint: String?) -> StageFailure {
    StageFailure(
      code: "source_document", message: "\(context.label): \(object.request): \(fault)",
      hint: (hint ?? "have it delivered again") + "; its bytes are kept as \(object.key)")
  }

  private func copy(
    _ before: SourceFile, to key: ObjectKey, _ monitor: BodyMonitor
  ) async throws -> StagedObject {
    try limit.check(before.bytes, of: before.path)
    let reader = directory.reader(of: before.path)
    let base = AsyncThrowingStream { try await BlockingIO.run { try reader.next(256 * 1024) } }
    let body = MonitoredBody(
      base: base,
      onChunk: { [self] chunk, _ in
        try limit.check(monitor.bytes + Int64(chunk.count), of: before.path)
        monitor.take(chunk)
        tell(bytes: monitor.bytes, note: nil, of: before)
      },
      onEnd: { [directory] in
        // One look at the end, off no pool: it waits for nothing but the directory's entry.
        guard let now = directory.look(at: before.path), now == before, monitor.bytes == before.bytes else {
          throw Changed()
        }
      })
    return try await context.store.stage(key, from: body)
  }

  private func look(at path: String) async -> SourceFile? {
    try? await BlockingIO.run { [directory] in directory.look(at: path) }
  }

  private func tell(bytes: Int64, note: String?, of file: SourceFile? = nil) {
    context.report(
      JobProgress(
        bytes: state.bytes + bytes, rows: state.records, units: state.objects, totalUnits: files.count - known,
        note: note ?? file.map { "reading \($0.path)" }))
  }

  /// Of the format, and of the name's own ending where it is compressed: `csv.gz` of `stock/May 2.csv.gz`.
  static func fileExtension(_ path: String, _ format: RecordFormat) -> String {
    let base = format == .bytes ? "bin" : format.name
    return compression(path).map { "\(base).\($0)" } ?? base
  }

  /// `gz` or `zst` by the name's ending.
  static func compression(_ path: String) -> String? {
    ["gz", "zst"].first { path.lowercased().hasSuffix("." + $0) }
  }
}
