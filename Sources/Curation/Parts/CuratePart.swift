import Catalog
import FoundationEssentials
import JobModel
import ObjectStore

/// The part of a batch that one of several jobs curates: the state of a checkpoint `curate.part/1`.
///
/// It is known by the raw that was due when the batch was split, and by the places of its own objects in it. So every attempt takes the same
/// objects, or finds that something else is due by now.
struct CuratePart: Sendable, Codable, Equatable {
  /// From 0.
  var number: Int
  /// How many parts there are.
  var count: Int
  /// The places of its objects among those that are due: from the first one to before the end.
  var first: Int
  var end: Int
  /// The hash of all that was due.
  var batch: String
  /// The fields that the stream's earlier deliveries had then: all parts have the same columns by them.
  var knownFields: [String]
  /// nil: it is to be curated.
  var outcome: Outcome?

  /// What became of it.
  enum Outcome: Sendable, Codable, Equatable {
    /// The key of the object with its ``PartResult``.
    case curated(result: String)
    /// One job has to curate the whole batch, for a reason that a person reads.
    case obstacle(reason: String)
  }

  /// The parts of a batch that end with the objects at these places, and the last one with the rest.
  static func parts(endingAt cuts: [Int], of due: DueRaw, knownFields: [String]) -> [CuratePart] {
    let bounds = [0] + cuts.map { $0 + 1 } + [due.objects.count]
    let batch = hash(due)
    return (0...cuts.count).map {
      CuratePart(
        number: $0, count: cuts.count + 1, first: bounds[$0], end: bounds[$0 + 1], batch: batch,
        knownFields: knownFields)
    }
  }

  /// nil where it is none of this format.
  init?(json: String) {
    guard let part = try? JSONDecoder().decode(CuratePart.self, from: Data(json.utf8)) else { return nil }
    self = part
  }

  init(number: Int, count: Int, first: Int, end: Int, batch: String, knownFields: [String], outcome: Outcome? = nil) {
    self.number = number
    self.count = count
    self.first = first
    self.end = end
    self.batch = batch
    self.knownFields = knownFields
    self.outcome = outcome
  }

  var json: String {
    get throws { String(decoding: try JSONEncoder().encode(self), as: UTF8.self) }
  }

  /// Whether this is what was due when the batch was split.
  func isOf(_ due: [DueRaw]) -> Bool {
    guard due.count == 1, let due = due.first else { return false }
    return (0..<end).contains(first) && end <= due.objects.count && Self.hash(due) == batch
  }

  /// Of everything that decides which raw a snapshot takes.
  private static func hash(_ due: DueRaw) -> String {
    var hasher = SHA256Hasher()
    hasher.update(Array("\(due.stream)\n".utf8))
    for run in due.runs { hasher.update(Array("run \(run.id) \(run.runAt)\n".utf8)) }
    for run in due.superseded { hasher.update(Array("superseded \(run)\n".utf8)) }
    for object in due.objects { hasher.update(Array("object \(object.id) \(object.bytes) \(object.sha256)\n".utf8)) }
    return hasher.finalizeHex()
  }
}

/// What a part of a batch came to, with its files in the store. It is in the store itself: a checkpoint is shown with its job, and there may be
/// thousands of files.
struct PartResult: Sendable, Codable, Equatable {
  /// Numbered within the part.
  var files: [DataFile]
  var columns: [SnapshotColumn]
  var cursorField: String?
  var rowsIn: Int64
  var rowsOut: Int64
  var filtered: Int64
  var quarantined: Int64
  /// The object with its quarantined rows; nil where there are none.
  var quarantineKey: String?
  var quarantineKeysReadable: Bool
  /// What the reader said of its records, as the JSON of a ``HistoryContent``.
  var content: String
  /// The events of columns that the contract does not list.
  var dropped: [String]
  var badReasons: [BadReason]
  /// Records of its raw objects, in their order, the malformed ones included.
  var records: [Int]

  /// Everything with rows that it has left in the store.
  var keys: [String] { files.map(\.key) + [quarantineKey].compactMap(\.self) }
}

/// Why the results of parts cannot be put together, for a person.
struct PartObstacle: Error {
  var reason: String
  init(_ reason: String) { self.reason = reason }
}
