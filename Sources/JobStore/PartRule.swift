/// When the work of one job becomes that of several: each takes a part of a list, which is a source's files or a batch's raw objects.
///
/// A batch of fewer than two parts' worth stays one job. The parts are told from the list alone.
package struct PartRule: Sendable, Equatable {
  /// At most so many jobs; 1: nothing is ever split.
  package var maximum: Int
  /// A part has about so many bytes at least.
  package var bytes: Int64
  /// Or so many files: each counts as a share of ``bytes`` in addition to its own, for what opening and recording it costs.
  package var files: Int

  package init(maximum: Int = 1, bytes: Int64 = 64 << 20, files: Int = 500) {
    self.maximum = min(maximum, JobStore.maximumParts)
    self.bytes = max(bytes, 1)
    self.files = max(files, 1)
  }

  /// The rule for a pipeline that runs so many jobs at once: more parts than may run at once gain nothing.
  package func limited(to concurrency: Int?) -> PartRule {
    var rule = self
    rule.maximum = min(maximum, concurrency ?? maximum)
    return rule
  }

  /// Where a list of files is cut: the last positions of all parts but the last one.
  ///
  /// - Parameter weights: The bytes of each file, in order; nil of one that is known already and costs little.
  package func cuts(_ weights: [Int64?]) -> [Int] {
    // In floating point: sizes are numbers of the filesystem, whose sum may exceed every integer.
    let each = Double(bytes) / Double(files)
    let loads = weights.map { $0.map { Double($0) + each } ?? 0 }
    let total = loads.reduce(0, +)
    let count = Int(min(Double(maximum), (total / Double(bytes)).rounded(.down)))
    guard count > 1, let last = loads.lastIndex(where: { $0 > 0 }) else { return [] }
    var cuts: [Int] = []
    var sum = 0.0
    var next = 1.0
    for (index, load) in loads[..<last].enumerated() where load > 0 && cuts.count < count - 1 {
      sum += load
      guard sum >= total * next / Double(count) else { continue }
      cuts.append(index)
      // A large file may fill several parts.
      next = (sum * Double(count) / total).rounded(.down) + 1
    }
    return cuts
  }
}
