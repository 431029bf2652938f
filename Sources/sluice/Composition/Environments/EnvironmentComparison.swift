import Catalog
import Curation
import DuckDB
import FoundationEssentials
import JobModel
import JobStore
import ObjectStore
import PipelineDefinition
import Synchronization

/// One environment as `env diff` sees it.
struct EnvironmentSide {
  struct Dataset: Equatable {
    var rows: Int64
    /// Name and type, in order.
    var columns: [String]
    var snapshots: Int
    var checks = Checks(outcome: .none)
  }

  var name: String
  /// What new runs begin with: a release, or the project folder.
  var release: String
  var project: Project
  /// By `pipeline.dataset`.
  var datasets: [String: Dataset]

  static func gather(_ installation: Installation) async throws -> EnvironmentSide {
    let current = try await installation.store.releases(in: .current).first
    var project = installation.project
    if let current {
      project = try await ReleaseDefinitions(store: installation.store, of: project).project(of: current.id)
    }
    var datasets: [String: Dataset] = [:]
    var newest: [String: Snapshot] = [:]
    for snapshot in try await installation.catalog.snapshots(pipeline: nil, dataset: nil) {
      let name = "\(snapshot.pipeline).\(snapshot.dataset)"
      newest[name] = snapshot
      let known = datasets[name]
      datasets[name] = Dataset(
        rows: 0, columns: snapshot.columns.map { "\($0.name) \($0.type)" }, snapshots: (known?.snapshots ?? 0) + 1)
    }
    for (name, rows) in try await installation.countRows(of: datasets.keys.sorted()) { datasets[name]?.rows = rows }
    for (name, checks) in try await checks(of: project, newest: newest, installation) {
      // A dataset that its checks kept from being made is one of the environment too.
      if checks.outcome == .failed, datasets[name] == nil {
        datasets[name] = Dataset(rows: 0, columns: [], snapshots: 0)
      }
      datasets[name]?.checks = checks
    }
    return EnvironmentSide(
      name: installation.environment,
      release: current.map(\.name) ?? "project folder \(installation.project.definitionHash.prefix(12))",
      project: project, datasets: datasets)
  }
}

extension Installation {
  /// The rows of datasets as `sluice query` sees them.
  fileprivate func countRows(of datasets: [String]) async throws -> [String: Int64] {
    guard !datasets.isEmpty else { return [:] }
    let scratch = stateDirectory + "/scratch/diff-\(ProcessInfo.processInfo.processIdentifier)"
    try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: scratch) }
    let folders = try ["curated", Compactor.root].compactMap { objects.localPath(try ObjectKey($0)) }
    let query = ConfinedQuery(
      duckdb: try duckDB(), place: DuckDBPlace(directory: scratch, directories: folders), duckDBLimits: sqlLimits,
      limits: ConfinedQuery.Limits(rows: datasets.count))
    let counts = Mutex<[String: Int64]>([:])
    let views = try await DatasetViews.gather(self)
    for dataset in datasets {
      try await query.run(
        "select count(*) as rows from \(quoteIdentifier(dataset))", over: views, begin: { _ in },
        take: { row in
          counts.withLock { $0[dataset] = row.first.flatMap { $0 }.flatMap { Int64($0) } ?? 0 }
        })
    }
    return counts.withLock { $0 }
  }
}

/// Definitions, releases and datasets of two environments side by side.
struct EnvironmentComparison {
  let left: EnvironmentSide
  let right: EnvironmentSide

  enum Likeness: String {
    case same
    case differs
    case onlyLeft = "only_first"
    case onlyRight = "only_second"
  }

  struct Line<Value> {
    var name: String
    var likeness: Likeness
    var left: Value?
    var right: Value?
  }

  var definitions: [Line<Bool>] {
    let names = [left, right].map { side in Set(side.project.pipelines.map(\.name)) }
    return names[0].union(names[1]).sorted().map { name in
      let isIn = names.map { $0.contains(name) }
      let isSame = isIn == [true, true] && left.project.works(name, like: right.project)
      return Line(
        name: name, likeness: Self.likeness(isIn[0], isIn[1], isSame: isSame), left: isIn[0], right: isIn[1])
    }
  }

  var datasets: [Line<EnvironmentSide.Dataset>] {
    Set(left.datasets.keys).union(right.datasets.keys).sorted().map { name in
      let (one, other) = (left.datasets[name], right.datasets[name])
      let isSame = one?.rows == other?.rows && one?.columns == other?.columns && one?.checks == other?.checks
      return Line(
        name: name, likeness: Self.likeness(one != nil, other != nil, isSame: isSame), left: one, right: other)
    }
  }

  private static func likeness(_ isLeft: Bool, _ isRight: Bool, isSame: Bool) -> Likeness {
    guard isLeft, isRight else { return isLeft ? .onlyLeft : .onlyRight }
    return isSame ? .same : .differs
  }

  var json: JSONValue {
    .object([
      ("first", side(left)), ("second", side(right)),
      (
        "pipelines",
        .list(
          definitions.map { .object([("pipeline", .text($0.name)), ("likeness", .text($0.likeness.rawValue))]) })
      ),
      (
        "datasets",
        .list(
          datasets.map { line in
            .object([
              ("dataset", .text(line.name)), ("likeness", .text(line.likeness.rawValue)), ("first", value(line.left)),
              ("second", value(line.right)),
            ])
          })
      ),
    ])
  }

  private func side(_ side: EnvironmentSide) -> JSONValue {
    .object([("environment", .text(side.name)), ("release", .text(side.release))])
  }

  private func value(_ dataset: EnvironmentSide.Dataset?) -> JSONValue {
    guard let dataset else { return .null }
    return .object([
      ("rows", .int(dataset.rows)), ("snapshots", .int(Int64(dataset.snapshots))),
      ("columns", .list(dataset.columns.map(JSONValue.text))), ("checks", dataset.checks.json),
    ])
  }

  var text: String {
    var lines = ["\(left.name): \(left.release)", "\(right.name): \(right.release)"]
    lines.append(
      TextTable(
        ["pipeline", "definition"], definitions.map { [$0.name, words($0.likeness)] }
      ).text)
    let heads = [
      "dataset", "", "rows: \(left.name)", "rows: \(right.name)", "columns", "checks: \(left.name)",
      "checks: \(right.name)",
    ]
    lines.append(TextTable(heads, datasets.map(cells)).text)
    return lines.joined(separator: "\n")
  }

  private func cells(_ line: Line<EnvironmentSide.Dataset>) -> [String] {
    let sides = [line.left, line.right]
    let rows = sides.map { side in side.map { "\($0.rows)" } ?? "" }
    let checks = sides.map { side in side?.checks.text ?? "" }
    return [line.name, words(line.likeness)] + rows + [columns(line.left, line.right)] + checks
  }

  private func words(_ likeness: Likeness) -> String {
    switch likeness {
    case .same: "same"
    case .differs: "differs"
    case .onlyLeft: "only \(left.name)"
    case .onlyRight: "only \(right.name)"
    }
  }

  private func columns(_ one: EnvironmentSide.Dataset?, _ other: EnvironmentSide.Dataset?) -> String {
    guard let one, let other, one.columns != other.columns else { return "" }
    let gone = one.columns.filter { !other.columns.contains($0) }.map { "-\($0)" }
    let new = other.columns.filter { !one.columns.contains($0) }.map { "+\($0)" }
    return (gone + new).isEmpty ? "another order" : (gone + new).joined(separator: ", ")
  }
}
