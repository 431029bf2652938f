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
    if step.checksReadDataset {
      for names in StreamViews.names(of: streams.map(\.table.stream.reference)).values {
        for name in names { try await session.run("drop view main.\(quoteIdentifier(name))") }
      }
      let versions = DatasetChecks.versions(
        columns: columnNames(selection), isFull: request.isFull, previous: request.previous)
      try await session.run(
        DatasetChecks.view(
          of: step, versions: versions, columns: try await session.columns(of: versions), key: accounting.key,
          replaces: accounting.replaces, cursor: cursor(of: selection)))
    }
    return try await DatasetChecks(session: session, step: step, previous: request.previous, rowsOut: rowsOut).run()
  }

  /// How the rows become files.
  func layout(of selection: Selection) async throws -> ParquetLayout {
    let columns = try await outputColumns(selection)
    return ParquetLayout(
      partitions: step.partitionBy, files: step.files, columns: columns.map { ($0.name, $0.type) },
      texts: TextColumns(columns.map { ($0.name, $0.type) }, except: step.nativeTypes),
      isInRawOrder: selection.isProjection, carriesPositions: selection.source != nil)
  }

  /// Writes rows that are kept in a table.
  func write(_ selection: Selection, expected: Int) async throws -> [OutputFile] {
    guard expected > 0 else { return [] }
    let layout = try await layout(of: selection)
    let files = try await write(layout, rows: expected)
    let written = files.reduce(0) { $0 + $1.rows }
    guard written == expected else {
      throw StageFailure(
        code: "rows_unaccounted",
        message: "dataset \(step.name): \(expected) rows were kept and \(written) written",
        hint: "this is a fault of Sluice; nothing was committed; please report it with the pipeline")
    }
    return files
  }

  private func write(_ layout: ParquetLayout, rows: Int) async throws -> [OutputFile] {
    guard !layout.partitions.isEmpty else { return try await writeAtOnce(layout) }
    guard layout.canBeOneCopy, let known = try await partitions(in: Accounting.kept, layout),
      layout.fits(partitions: known.count, request.limits)
    else { return try await writeByPartition(layout) }
    let files = try await copyApart(layout, known, from: Accounting.kept, rows: rows).files
    return try await divided(RowFolder.all(known: known.count).flatMap { files[$0, default: []] }, layout)
  }

  /// The partitions of rows; nil where there are more than one COPY may write.
  func partitions(in rows: String, _ layout: ParquetLayout) async throws -> [KnownPartition]? {
    let known = try await session.rows(layout.listNames(of: rows)).map(layout.known)
    return known.count > ParquetLayout.maximumOpenFiles ? nil : known.sorted { $0.name < $1.name }
  }

  /// Writes rows with a verdict by one COPY, those of each known partition, the other good ones and the bad ones apart.
  func copyApart(
    _ layout: ParquetLayout, _ known: [KnownPartition], from source: String, rows: Int
  ) async throws -> (files: [RowFolder: [OutputFile]], plan: StatementPlan?) {
    let directory = "\(request.scratch)/out/all"
    let plan = try await session.plan(of: layout.copyApart(source, to: directory, known: known, rows: rows))
    try request.scratchLimit.check()
    var folders: [String: RowFolder] = [:]
    for folder in RowFolder.all(known: known.count)
    where FileManager.default.fileExists(atPath: "\(directory)/\(folder.name)") {
      // Readers may take a path with an equals sign for a column.
      let plain = "\(request.scratch)/out/apart-\(folder.number)"
      try FileManager.default.moveItem(atPath: "\(directory)/\(folder.name)", toPath: plain)
      for path in try Self.parquetFiles(below: plain) { folders[path] = folder }
    }
    var files: [RowFolder: [OutputFile]] = [:]
    for var file in try await outputFiles(folders.keys.sorted(), folder: "") {
      guard let folder = folders[file.path] else { preconditionFailure("only these files were asked for") }
      if case .known(let index) = folder, !known.isEmpty { file.partition = known[index].folder }
      files[folder, default: []].append(file)
    }
    return (files, plan)
  }

  /// All rows without partitions by one COPY, in one pass over the rows.
  func writeAtOnce(_ layout: ParquetLayout) async throws -> [OutputFile] {
    let directory = "\(request.scratch)/out/all"
    try await session.run(layout.copy([:], to: directory))
    try request.scratchLimit.check()
    return try await divided(try await outputFiles(try Self.parquetFiles(below: directory), folder: ""), layout)
  }

  /// A COPY that divides rows does not divide files, so those that became too large are written once more.
  func divided(_ files: [OutputFile], _ layout: ParquetLayout) async throws -> [OutputFile] {
    var result: [OutputFile] = []
    for (index, file) in files.enumerated() {
      guard file.bytes > 2 * layout.files.targetBytes else {
        result.append(file)
        continue
      }
      let directory = "\(request.scratch)/out/divided-\(index)"
      try await session.run(layout.divide(file.path, to: directory))
      try FileManager.default.removeItem(atPath: file.path)
      result += try await outputFiles(try Self.parquetFiles(below: directory), folder: file.partition)
    }
    return result
  }

  /// Partition after partition, of rows that were gathered in their order.
  func writeByPartition(_ layout: ParquetLayout) async throws -> [OutputFile] {
    if let statement = layout.gather { try await session.run(statement) }
    return try await writeGathered(layout)
  }

  func writeGathered(_ layout: ParquetLayout) async throws -> [OutputFile] {
    let partitions = step.partitionBy.isEmpty ? [[:]] : try await session.rows(layout.listPartitions)
    guard partitions.count <= ParquetLayout.maximumPartitions else { throw tooManyPartitions }
    var files: [OutputFile] = []
    for (index, partition) in partitions.enumerated() {
      let directory = "\(request.scratch)/out/\(index)"
      try await session.run(layout.copy(partition, to: directory))
      // Each look reads the whole directory.
      if index % 100 == 0 { try request.scratchLimit.check() }
      files += try await outputFiles(
        try Self.parquetFiles(below: directory), folder: layout.folder(of: partition))
    }
    return files
  }

  private var tooManyPartitions: StageFailure {
    StageFailure(
      code: "too_many_partitions",
      message: "dataset \(step.name): one run has more than \(ParquetLayout.maximumPartitions) partitions",
      hint: "partition by a longer time, such as month, or by another column", at: "\(step.place)")
  }

  /// The files with rows.
  func outputFiles(_ paths: [String], folder: String) async throws -> [OutputFile] {
    var files: [OutputFile] = []
    for part in paths.parts(of: 500) {
      for row in try await session.rows(ParquetLayout.fileRows(of: Array(part))) {
        guard let path = row["path"]?.text, let rows = row["n"]?.int, rows > 0 else { continue }
        files.append(OutputFile(path: path, partition: folder, rows: rows, bytes: try Self.size(of: path)))
      }
    }
    return files
  }

  /// In the order of their paths.
  static func parquetFiles(below directory: String) throws -> [String] {
    let manager = FileManager.default
    var isFolder = false
    guard manager.fileExists(atPath: directory, isDirectory: &isFolder) else { return [] }
    return try manager.contentsOfDirectory(atPath: directory).sorted().flatMap { name in
      let path = "\(directory)/\(name)"
      if name.hasSuffix(".parquet") { return [path] }
      return manager.fileExists(atPath: path, isDirectory: &isFolder) && isFolder ? try parquetFiles(below: path) : []
    }
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

  static func size(of path: String) throws -> Int {
    let size = try FileManager.default.attributesOfItem(atPath: path)[.size]
    return (size as? Int) ?? (size as? UInt64).map(Int.init) ?? 0
  }
}

extension Array {
  /// The elements in their order, in parts of at most `count`.
  fileprivate func parts(of count: Int) -> [ArraySlice<Element>] {
    stride(from: 0, to: self.count, by: count).map { self[$0..<Swift.min($0 + count, self.count)] }
  }
}
