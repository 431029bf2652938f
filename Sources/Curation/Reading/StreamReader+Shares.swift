import FoundationEssentials
import JobModel
import ObjectStore
import PipelineDefinition
import Records
import SystemPackage

/// What one reader reads: objects one after another, or the records of one object that begin in a range of its bytes.
private struct ReadShare: Sendable {
  var objects: [CurationObject]
  var range: Range<Int64> = 0..<Int64.max
}

/// Reading with several threads.
extension StreamReader {
  /// A smaller object is not worth a second reader.
  private static let dividedBytes = 16_000_000

  /// Reads shares of the objects at the same time, each in the order of its objects.
  func readAll(
    _ objects: [CurationObject], _ reading: RecordReading, of stream: CurationStream, index: Int
  ) async throws -> [ReadFiles] {
    let shares = try shares(of: objects, reading)
    let reading = sampledRows > 0 ? try sampling(objects, reading) : reading
    var read = try await withThrowingTaskGroup(of: (Int, ReadFiles).self) { tasks in
      for (number, share) in shares.enumerated() {
        tasks.addTask { (number, try await readShare(share, reading, of: stream, name: "\(index)-\(number)")) }
      }
      var read: [Int: ReadFiles] = [:]
      for try await (number, files) in tasks { read[number] = files }
      return shares.indices.compactMap { read[$0] }
    }
    try await join(&read, shares, reading, of: stream, index: index)
    return read
  }

  private func sampling(_ objects: [CurationObject], _ reading: RecordReading) throws -> RecordReading {
    var reading = reading
    reading.sampleDistance = max(1, try objects.map(Self.size(of:)).reduce(0, +) / sampledRows)
    return reading
  }

  private func shares(of objects: [CurationObject], _ reading: RecordReading) throws -> [ReadShare] {
    guard objects.count == 1, let object = objects.first, threads > 1, reading.canBeDivided else {
      return try Self.groups(objects, count: threads).map { ReadShare(objects: $0) }
    }
    let size = try Self.size(of: object)
    guard size >= Self.dividedBytes else { return [ReadShare(objects: objects)] }
    var places: [Int64] = [0]
    for part in 1..<threads {
      let place = try Self.lineBegin(in: object.path, from: Int64(size / threads * part))
      if let place, let last = places.last, place > last { places.append(place) }
    }
    return places.indices.map { part in
      ReadShare(objects: objects, range: places[part]..<(part + 1 < places.count ? places[part + 1] : Int64.max))
    }
  }

  /// A line begins there; in CSV it may be one within quotes.
  private static func lineBegin(in path: String, from place: Int64) throws -> Int64? {
    let file = try FileDescriptor.open(FilePath(path), .readOnly)
    defer { try? file.close() }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = try bytes.withUnsafeMutableBytes { try file.read(fromAbsoluteOffset: place, into: $0) }
    return bytes[..<count].firstIndex(of: UInt8(ascii: "\n")).map { place + Int64($0) + 1 }
  }

  /// Makes the ranges of one object follow one another.
  ///
  /// Between two records a reader remembers nothing. So where a range ends just where the next one was begun, the two together are
  /// what one reader gives. Where it ends elsewhere, the next one began within a record and is read again, from there.
  private func join(
    _ read: inout [ReadFiles], _ shares: [ReadShare], _ reading: RecordReading, of stream: CurationStream, index: Int
  ) async throws {
    for number in shares.indices.dropFirst() where shares[number].range.lowerBound > 0 {
      let before = read[number - 1]
      if before.end.byte != shares[number].range.lowerBound {
        try read[number].remove()
        var share = shares[number]
        share.range = before.end.byte..<max(before.end.byte, share.range.upperBound)
        read[number] = try await readShare(share, reading, of: stream, name: "\(index)-\(number)")
      }
      read[number].recordsBefore = before.recordsBefore + before.records.rows.count
      read[number].linesBefore = before.linesBefore + before.end.lines
    }
  }

  private static func size(of object: CurationObject) throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: object.path)
    return (attributes[.size] as? Int) ?? (attributes[.size] as? UInt64).map { Int(clamping: $0) } ?? 0
  }

  /// The objects in their order, in at most `count` groups of about the same number of bytes.
  static func groups(_ objects: [CurationObject], count: Int) throws -> [[CurationObject]] {
    let sizes = try objects.map(size(of:))
    let share = max(1, sizes.reduce(0, +) / max(1, count))
    var groups: [[CurationObject]] = []
    var filled = Int.max
    for (object, size) in zip(objects, sizes) {
      if filled >= share, groups.count < count {
        groups.append([])
        filled = 0
      }
      groups[groups.count - 1].append(object)
      filled += size
    }
    return groups
  }

  private func readShare(
    _ share: ReadShare, _ reading: RecordReading, of stream: CurationStream, name: String
  ) async throws -> ReadFiles {
    let rows = "\(scratch.directory)/rows-\(name)"
    let rejects = "\(scratch.directory)/rejects-\(name)"
    let sample = sampledRows > 0 ? "\(scratch.directory)/sample-\(name)" : nil
    let advance = advance
    let flag = SharedFlag()
    let (records, end) = try await withTaskCancellationHandler {
      try await BlockingIO.run {
        let reader = try RecordReader(
          reading, rows: rows, rejects: rejects, sample: sample, isCancelled: { flag.isSet })
        var end = ReadEnd(byte: 0, lines: 0)
        for object in share.objects {
          do {
            end = try reader.read(object.path, part: Int(object.id), range: share.range)
          } catch let error as RecordError {
            throw failure(
              error, "\(stream.reference): \(object.name)",
              hint: "the object stays in raw; correct the definition or have it delivered again")
          }
          if share.range.lowerBound == 0 { advance(1) }
        }
        return (try reader.finish(), end)
      }
    } onCancel: {
      flag.set()
    }
    return ReadFiles(records: records, end: end)
  }
}
