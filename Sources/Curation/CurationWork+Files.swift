import DuckDB
import FoundationEssentials
import JobModel
import PipelineDefinition

/// Checks and files.
extension CurationWork {
  func quarantine(for selection: Selection, key: [String]) -> Quarantine {
    Quarantine(
      dataset: step.name, streams: request.streams.map(\.reference), key: key,
      carriesPositions: selection.source != nil, hidesRecords: hidesValues)
  }

  /// The data files' columns: the dataset's, then each row's place in raw where it is known.
  private func columnNames(_ selection: Selection) -> [String] {
    selection.plan.outputNames + (selection.source == nil ? [] : [SystemColumn.object, SystemColumn.position])
  }

  func outputColumns(_ selection: Selection) async throws -> [DuckDBTable.Column] {
    let list = columnNames(selection).map(quoteIdentifier).joined(separator: ", ")
    return try await session.columns(of: "select \(list) from \(Accounting.kept)")
  }

  /// Runs the checks. From here on the dataset's name means the dataset, also where a stream has the same name.
  func check(
    _ plan: ContractPlan, _ accounting: Accounting, _ selection: Selection, rowsOut: Int, _ streams: [LoadedStream]
  ) async throws -> [CurationEvent] {
    guard !step.checks.isEmpty else { return [] }
    report.step("checks")
    for names in StreamViews.names(of: streams.map(\.table.stream.reference)).values {
      for name in names { try await session.run("drop view main.\(quoteIdentifier(name))") }
    }
    let versions = DatasetChecks.versions(
      columns: columnNames(selection), isFull: request.isFull, previous: request.previous,
      tellsSnapshotsApart: !accounting.replaces.isEmpty)
    try await session.run(
      DatasetChecks.view(
        of: step, versions: versions, columns: try await session.columns(of: versions), key: accounting.key,
        replaces: accounting.replaces, cursor: cursor(of: selection)))
    return try await DatasetChecks(session: session, step: step, previous: request.previous, rowsOut: rowsOut).run()
  }

  /// Writes the data files.
  func write(_ selection: Selection) async throws -> [OutputFile] {
    let rowsOut = try await session.value("select count(*) as n from \(Accounting.kept)").int ?? 0
    guard rowsOut > 0 else { return [] }
    let layout = ParquetLayout(
      partitions: step.partitionBy, files: step.files, columns: columnNames(selection),
      texts: TextColumns(
        try await outputColumns(selection).map { ($0.name, $0.type) }, except: step.nativeTypes),
      isInRawOrder: request.sql == nil, carriesPositions: selection.source != nil)
    if let statement = layout.gather { try await session.run(statement) }
    let partitions = step.partitionBy.isEmpty ? [[:]] : try await session.rows(layout.listPartitions)
    guard partitions.count <= ParquetLayout.maximumPartitions else {
      throw StageFailure(
        code: "too_many_partitions",
        message: "dataset \(step.name): one run has more than \(ParquetLayout.maximumPartitions) partitions",
        hint: "partition by a longer time, such as month, or by another column", at: "\(step.place)")
    }
    var files: [OutputFile] = []
    for (index, partition) in partitions.enumerated() {
      let directory = "\(request.scratch)/out/\(index)"
      try await session.run(layout.copy(partition, to: directory))
      // Each look reads the whole directory.
      if index % 100 == 0 { try request.scratchLimit.check() }
      let written = try FileManager.default.contentsOfDirectory(atPath: directory).filter { $0.hasSuffix(".parquet") }
      let paths = written.map { "\(directory)/\($0)" }
      for row in try await session.rows(ParquetLayout.fileRows(of: paths)) {
        guard let path = row["path"]?.text, let rows = row["n"]?.int, rows > 0 else { continue }
        files.append(
          OutputFile(path: path, partition: layout.folder(of: partition), rows: rows, bytes: try Self.size(of: path)))
      }
    }
    let written = files.reduce(0) { $0 + $1.rows }
    guard written == rowsOut else {
      throw StageFailure(
        code: "rows_unaccounted", message: "dataset \(step.name): \(rowsOut) rows were kept and \(written) written",
        hint: "this is a fault of Sluice; nothing was committed; please report it with the pipeline")
    }
    return files
  }

  /// Writes the quarantine; no file where nothing is in it.
  func write(_ quarantine: Quarantine) async throws -> (file: OutputFile?, keysReadable: Bool) {
    let summary = try await session.rows(quarantine.summary).first ?? [:]
    let rows = summary["n"]?.int ?? 0
    guard rows > 0 else { return (nil, true) }
    let path = "\(request.scratch)/out/quarantine.parquet"
    try await session.run(quarantine.copy(to: path))
    let file = OutputFile(path: path, partition: "", rows: rows, bytes: try Self.size(of: path))
    return (file, summary["unreadable"]?.int == 0)
  }

  private static func size(of path: String) throws -> Int {
    let size = try FileManager.default.attributesOfItem(atPath: path)[.size]
    return (size as? Int) ?? (size as? UInt64).map(Int.init) ?? 0
  }
}
