import JobModel
import PipelineDefinition

/// The latest rows of a stream over some of its raw objects, as one Parquet file.
///
/// Cursor, object and position are a total order of a key's versions, so the latest of two sets of records is the latest of their
/// latest. A run that has a segment reads the file in place of the objects.
package struct HistorySegment: Sendable {
  /// The catalog's number.
  package var id: Int64
  package var path: String
  /// Lower-case hexadecimal.
  package var sha256: String
  package var span: HistorySpan
  package var content: HistoryContent

  package init(id: Int64, path: String, sha256: String, span: HistorySpan, content: HistoryContent) {
    self.id = id
    self.path = path
    self.sha256 = sha256
    self.span = span
    self.content = content
  }
}

/// Which raw objects a segment stands for.
package struct HistorySpan: Sendable, Equatable {
  /// The first of them in the order of the history.
  package var first: Int64
  /// How many in a row; at least 1.
  package var count: Int
  /// Of the objects and of everything else that decides what the rows are: ``HistoryIdentity``.
  package var identity: String

  package init(first: Int64, count: Int, identity: String) {
    self.first = first
    self.count = count
    self.identity = identity
  }
}

/// What is in a segment, and what the reader said of the objects.
package struct HistoryContent: Sendable, Codable {
  /// A field of the records and the column that it was read into.
  struct Field: Sendable, Codable {
    var name: String
    /// nil: it could be no column.
    var column: String?
  }
  /// In the order in which the reader met them.
  var fields: [Field] = []
  /// The columns that are kept, in the order of the file's `c0`, `c1`, …
  var columns: [String] = []
  var unusable: [String] = []
  var extra: [String] = []
  /// Records of the objects, good and bad.
  var records = 0
  /// Of the file: rows of records.
  package var rows = 0
  /// Of the file: rows that are no record.
  var rejects = 0

  /// As many names as the reader tells of one delivery.
  private static let maximumUnusable = 100

  /// Adds what follows in the order of the history.
  ///
  /// - Returns: False where the two read a field into different columns.
  mutating func add(_ next: HistoryContent) -> Bool {
    var known: [ExactText: String?] = [:]
    for field in fields { known[ExactText(field.name)] = field.column }
    for field in next.fields {
      guard let column = known[ExactText(field.name)] else {
        fields.append(field)
        continue
      }
      guard Self.isSame(column, field.column) else { return false }
    }
    unusable += next.unusable.filter { name in !unusable.contains { $0.isExactly(name) } }
    unusable = Array(unusable.prefix(Self.maximumUnusable))
    extra += next.extra.filter { name in !extra.contains { $0.isExactly(name) } }
    records += next.records
    rows += next.rows
    rejects += next.rejects
    return true
  }

  /// Whether a table of these columns can be made of the segment: it reads the fields as the file was written, and the file has
  /// what it keeps.
  func fits(_ names: StreamFields, _ table: RecordTable) -> Bool {
    let kept = Set(columns.map { ExactText($0) })
    return fields.allSatisfy { field in
      let column = names.name(of: field.name)
      guard Self.isSame(column, field.column) else { return false }
      guard let column, table.fields.contains(where: { $0.name.isExactly(column) }) else { return true }
      return kept.contains(ExactText(column))
    }
  }

  private static func isSame(_ left: String?, _ right: String?) -> Bool {
    switch (left, right) {
    case (nil, nil): true
    case (let left?, let right?): left.isExactly(right)
    default: false
    }
  }
}

/// What a dataset needs of a stream's earlier records.
struct HistoryShape: Sendable {
  /// The text of JSON records.
  var keepsRecords: Bool
  /// Records that break their stream's types, and what is no record.
  var keepsBad: Bool
}
