import PipelineDefinition

extension ColumnType {
  /// DuckDB's name of the type.
  package var duckDBName: String {
    switch name {
    case "text": "VARCHAR"
    case "bytea": "BLOB"
    case "real": "FLOAT"
    default: name.uppercased()
    }
  }

  /// The contract's name of a DuckDB type; types that the contract does not know are text.
  package init(duckDBName: String) {
    switch duckDBName {
    case "VARCHAR": self.init("text")
    case "BLOB": self.init("bytea")
    case "FLOAT": self.init("real")
    case "DOUBLE": self.init("double")
    case "TINYINT", "UTINYINT", "SMALLINT": self.init("smallint")
    case "USMALLINT", "INTEGER": self.init("integer")
    case "UINTEGER", "BIGINT": self.init("bigint")
    case "UBIGINT", "HUGEINT", "UHUGEINT": self.init("decimal(38,0)")
    case "TIMESTAMP WITH TIME ZONE": self.init("timestamptz")
    case "BOOLEAN", "DATE", "TIME", "TIMESTAMP", "UUID", "JSON": self.init(duckDBName.lowercased())
    default: self.init(duckDBName.hasPrefix("DECIMAL(") ? duckDBName.lowercased() : "text")
    }
  }

  /// Digits after the point that the type keeps; nil where it is not a number of fixed scale.
  var scale: Int? {
    if ["bigint", "integer", "smallint"].contains(name) { return 0 }
    guard name.hasPrefix("decimal") else { return nil }
    guard let open = name.firstIndex(of: "("), let close = name.lastIndex(of: ")") else { return 3 }
    let parts = name[name.index(after: open)..<close].split(separator: ",")
    return parts.count == 2 ? Int(parts[1].filter { $0 != " " }) : 0
  }
}
