import ArgumentParser
import Catalog
import JobModel

struct CatalogCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "catalog", abstract: "List datasets and their snapshots.")

  @OptionGroup var options: ProjectOptions
  @Argument(help: "Only this dataset.") var dataset: String?

  func run() async throws {
    try await Installation.with(options, access: .reading) { installation in
      let snapshots = try await installation.catalog.snapshots(pipeline: nil, dataset: dataset)
      if options.json {
        Console.data(json: .object([("catalog", .list(snapshots.map(\.json)))]))
        return
      }
      let rows = snapshots.map { snapshot in
        [
          snapshot.pipeline, snapshot.dataset, "\(snapshot.number)", "\(snapshot.runID)",
          snapshot.isFull ? "full" : "incremental", "\(snapshot.counts.rowsIn)", "\(snapshot.counts.rowsOut)",
          snapshot.counts.filtered.map { "\($0)" } ?? "", "\(snapshot.counts.deduplicated)",
          "\(snapshot.counts.quarantined)", "\(snapshot.files.count)",
          "\(snapshot.files.map(\.bytes).reduce(0, +))", snapshot.createdAt,
        ]
      }
      Console.data(
        TextTable(
          [
            "pipeline", "dataset", "snapshot", "run", "kind", "in", "out", "filtered", "deduplicated", "quarantined",
            "files", "bytes", "created",
          ], rows
        ).text)
    }
  }
}

extension Snapshot {
  var json: JSONValue {
    .object([
      ("snapshot", .text(id)), ("number", .int(number)), ("pipeline", .text(pipeline)), ("dataset", .text(dataset)),
      ("run", .int(runID.rawValue)), ("full", .bool(isFull)),
      (
        "columns",
        .list(columns.map { .object([("name", .text($0.name)), ("type", .text($0.type))]) })
      ), ("key", .list(key.map(JSONValue.text))), ("rows_in", .int(counts.rowsIn)), ("rows_out", .int(counts.rowsOut)),
      ("filtered", .optional(counts.filtered)), ("deduplicated", .int(counts.deduplicated)),
      ("quarantined", .int(counts.quarantined)), ("created_at", .text(createdAt)),
      (
        "files",
        .list(
          files.map { file in
            .object([
              ("key", .text(file.key)), ("partition", .text(file.partition)), ("rows", .int(file.rows)),
              ("bytes", .int(file.bytes)), ("sha256", .text(file.sha256)),
            ])
          })
      ),
    ])
  }
}
