/// The part of a stream's files that one of several jobs brings: those whose paths lie between two others, by their bytes. A file that
/// appears later is in exactly one part too.
struct FilesPart: Sendable, Codable, Equatable {
  /// From 0.
  var number: Int
  /// How many parts there are.
  var count: Int
  /// The last path of the part before; nil of the first part.
  var after: String?
  /// The last path of this part; nil of the last part.
  var through: String?

  /// The numbers of a part's raw objects begin here, so that the objects of all parts are in the order of their paths, as those of one job
  /// are. More than a source may have files (``SourceDirectory/maximumEntries``); 16 times it is less than the largest number of an object.
  static let objects = 100_000_000

  var firstSequence: Int { number * Self.objects }

  func contains(_ path: String) -> Bool {
    (after.map { $0.utf8.lexicographicallyPrecedes(path.utf8) } ?? true)
      && (through.map { !$0.utf8.lexicographicallyPrecedes(path.utf8) } ?? true)
  }

  /// Parts that end at these paths, and the last one that has the rest.
  static func parts(endingAt ends: [String]) -> [FilesPart] {
    let bounds = [nil] + ends.map(Optional.some) + [nil]
    return (0...ends.count).map {
      FilesPart(number: $0, count: ends.count + 1, after: bounds[$0], through: bounds[$0 + 1])
    }
  }
}
