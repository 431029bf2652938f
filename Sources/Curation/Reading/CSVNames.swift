import DuckDB
import JobModel
import PipelineDefinition

extension CSVFormat {
  /// Names that can stand in one table: none empty, none twice, none of Sluice's own.
  static func columnNames(_ header: [String]) -> [String] {
    var taken: Set<SQLName> = []
    return header.enumerated().map { index, raw in
      var name = raw.trimmingWhitespace()
      if !FieldName.isUsable(name) || SystemColumn.isReserved(name) { name = "c\(index + 1)" }
      var candidate = name
      var count = 2
      while !taken.insert(SQLName(candidate)).inserted {
        candidate = "\(name)_\(count)"
        count += 1
      }
      return candidate
    }
  }
}

extension StringProtocol {
  /// Without white space at both ends, scalar by scalar: a combining mark after a space stays.
  func trimmingWhitespace() -> String {
    let scalars = unicodeScalars
    func isText(_ scalar: Unicode.Scalar) -> Bool { !scalar.properties.isWhitespace }
    guard let start = scalars.firstIndex(where: isText), let end = scalars.lastIndex(where: isText) else { return "" }
    return String(String.UnicodeScalarView(scalars[start...end]))
  }
}
