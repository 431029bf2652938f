import DuckDB
import JobModel
import PipelineDefinition

extension CSVFormat {
  /// Names that can stand in one table: none empty, none twice, none of Sluice's own.
  ///
  /// Of two spellings the same one has the number, wherever the two stand: small letters go first.
  static func columnNames(_ header: [String]) -> [String] {
    var names = header.enumerated().map { index, raw in
      let name = raw.trimmingWhitespace()
      return !FieldName.isUsable(name) || SystemColumn.isReserved(name) ? "c\(index + 1)" : name
    }
    let order = names.indices.sorted { left, right in
      let (a, b) = (Array(names[left].utf8), Array(names[right].utf8))
      return a == b ? left < right : b.lexicographicallyPrecedes(a)
    }
    let spelled = names.map { SQLName($0) }
    var taken = Set(spelled.filter { name in spelled.count { $0 == name } == 1 })
    for index in order where spelled.count(where: { $0 == spelled[index] }) > 1 {
      let name = names[index]
      var count = 2
      while !taken.insert(SQLName(names[index])).inserted {
        names[index] = "\(name)_\(count)"
        count += 1
      }
    }
    return names
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
