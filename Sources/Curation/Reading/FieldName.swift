/// What a name that a source gave to a field must be to become a column.
enum FieldName {
  /// A column of PostgreSQL has no longer name: one field with a longer one would end every later load.
  static let maximumBytes = 63

  /// A control character has no place in a name: DuckDB's parser ends at a NUL, and terminals obey the others.
  static func isUsable(_ name: String) -> Bool {
    (1...maximumBytes).contains(name.utf8.count) && !name.utf8.contains { $0 < 0x20 || $0 == 0x7F }
  }

  /// The name as a message shows it.
  static func shown(_ name: String) -> String {
    let scalars = name.unicodeScalars.prefix(60).map { scalar in
      scalar.value < 0x20 || scalar.value == 0x7F ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
    }
    return scalars.joined() + (name.unicodeScalars.count > 60 ? "…" : "")
  }
}
