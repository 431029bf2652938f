import Catalog

extension PreviousData {
  /// - Parameters:
  ///   - dataset: Its parts, oldest first; of a dataset whose rows are not read, the newest one without its files.
  ///   - path: What the SQL engine can open, by an object's key.
  init(_ dataset: [DatasetPart], path: (String) throws -> String) rethrows {
    let filled = dataset.filter { !$0.snapshot.files.isEmpty }
    let last = dataset.last?.snapshot
    self.init(
      parts: try filled.map { try $0.snapshot.files.map { try path($0.key) } },
      texts: filled.map { TextColumns($0.snapshot.columns.map { ($0.name, $0.type) }) },
      columns: filled.map { $0.snapshot.columns.map { DataColumn(name: $0.name, type: $0.type) } },
      rowsOfLastRun: last.map { Int($0.counts.rowsOut) }, quarantine: try last?.quarantineKey.map(path))
    numbers = filled.map { $0.isCompacted ? nil : $0.lastNumber }
    lastNumber = last?.number ?? 0
  }
}
