import Catalog
import DuckDB

/// Which neighbouring parts of a dataset are written into one file next.
///
/// Sizes are kept like those of a log-structured merge tree: ``fanOut`` parts that have about the same number of snapshots become one.
/// So a row is written again once for each power of ``fanOut``, and after N small increments a reader opens at most
/// `fanOut - 1` parts for each power of ``fanOut`` in N, and what the last increments added.
package enum CompactionPlan {
  /// Parts of one size that become one.
  package static let fanOut = 8

  /// A part of this size is no longer worth writing again: opening its file costs little compared with reading it.
  package static let largeBytes: Int64 = 8_000_000
  /// What one compaction reads at most, so that it takes seconds.
  package static let maximumBytes: Int64 = 64_000_000
  package static let maximumParts = 1_000
  /// A snapshot of more files is divided by its layout, not by being small.
  static let maximumFilesOfPart = 1_000
  static let maximumFiles = 8_000
  /// Each is a row of the answer that compares what was written with what was read.
  static let maximumSnapshots = 150_000

  /// The parts to write into one file; nil where none are worth it.
  ///
  /// - Parameters:
  ///   - parts: All of a dataset, oldest first.
  ///   - held: Numbers of snapshots that are left alone.
  package static func next(_ parts: [DatasetPart], except held: [ClosedRange<Int64>] = []) -> Range<Int>? {
    let stretches = stretches(parts, except: held)
    for stretch in stretches {
      if let range = fullLevel(parts, in: stretch) { return range }
    }
    // What ends here for good is one part from now on; at the end of the dataset more will come.
    for stretch in stretches where stretch.upperBound < parts.count {
      let range = bounded(parts, stretch)
      if range.count > 1 { return range }
    }
    return nil
  }

  /// Neighbours of which all could become one part.
  private static func stretches(_ parts: [DatasetPart], except held: [ClosedRange<Int64>]) -> [Range<Int>] {
    var stretches: [Range<Int>] = []
    for index in parts.indices where isSmall(parts[index]) {
      let part = parts[index]
      guard !held.contains(where: { $0.overlaps(part.firstNumber...part.lastNumber) }) else { continue }
      if let last = stretches.last, last.upperBound == index, isAlike(parts[index - 1].snapshot, part.snapshot) {
        stretches[stretches.count - 1] = last.lowerBound..<index + 1
      } else {
        stretches.append(index..<index + 1)
      }
    }
    return stretches
  }

  private static func isSmall(_ part: DatasetPart) -> Bool {
    part.bytes < largeBytes && part.snapshot.files.count <= maximumFilesOfPart
      && SnapshotFiles.canJoin(part.snapshot.columns.map(\.name))
  }

  /// Whether rows of both are read in the same way.
  private static func isAlike(_ one: Snapshot, _ other: Snapshot) -> Bool {
    one.columns == other.columns && one.key == other.key && one.cursorField == other.cursorField
  }

  /// Neighbours of at most the highest level that has enough parts.
  private static func fullLevel(_ parts: [DatasetPart], in stretch: Range<Int>) -> Range<Int>? {
    let highest = stretch.map { level(parts[$0]) }.max() ?? 0
    for level in (0...highest).reversed() {
      var start = stretch.lowerBound
      while start < stretch.upperBound {
        let end = stretch[start...].firstIndex { self.level(parts[$0]) > level } ?? stretch.upperBound
        let range = bounded(parts, start..<end)
        if range.count(where: { self.level(parts[$0]) == level }) >= fanOut { return range }
        start = end + 1
      }
    }
    return nil
  }

  /// As many of the first parts as one compaction reads.
  private static func bounded(_ parts: [DatasetPart], _ range: Range<Int>) -> Range<Int> {
    var (bytes, files, snapshots) = (Int64(0), 0, 0)
    var end = range.lowerBound
    while end < range.upperBound, range.lowerBound + maximumParts > end {
      bytes += parts[end].bytes
      files += parts[end].snapshot.files.count
      snapshots += parts[end].count
      guard bytes <= maximumBytes, files <= maximumFiles, snapshots <= maximumSnapshots else { break }
      end += 1
    }
    return range.lowerBound..<end
  }

  /// The power of ``fanOut`` in the number of a part's snapshots.
  private static func level(_ part: DatasetPart) -> Int {
    var (level, rest) = (0, part.count)
    while rest >= fanOut { (level, rest) = (level + 1, rest / fanOut) }
    return level
  }
}
