import Postgres

/// What the catalog knows of the size of its storage; nil where that is more than is counted.
package struct CatalogSize: Sendable, Equatable {
  /// Of datasets, as they were written since the last full snapshot of each: a row that was written twice counts twice.
  package var rows: Int64?
  package var rawBytes: Int64?
  package var curatedBytes: Int64?

  package init(rows: Int64?, rawBytes: Int64?, curatedBytes: Int64?) {
    self.rows = rows
    self.rawBytes = rawBytes
    self.curatedBytes = curatedBytes
  }
}

extension Catalog {
  /// A list must cost little, however large one of the catalogs is.
  private static let countedRows: Int64 = 20_000

  /// - Source: `catalog_size.sql`.
  package func size() async throws -> CatalogSize {
    let row = try await database.query(Statement.catalogSize, [.int(Self.countedRows)]).first
    return CatalogSize(
      rows: try row?.optionalInt("rows"), rawBytes: try row?.optionalInt("raw_bytes"),
      curatedBytes: try row?.optionalInt("curated_bytes"))
  }
}
