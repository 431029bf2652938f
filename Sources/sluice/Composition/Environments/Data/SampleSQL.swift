import Catalog
import Curation
import DuckDB
import JobModel
import ObjectStore
import PipelineDefinition

/// The statements that choose the rows of a sample and write them, by ``SamplePlan``.
///
/// Of each dataset there are a view `d0`, a narrow table `n0` of what rows are told apart by and joined by, as numbers of 128 bits,
/// and a table `p0` of the rows that are chosen.
struct SampleSQL: Sendable {
  let plan: SamplePlan
  let amount: EnvironmentData.Amount

  /// A million parts are fine enough for any share that makes sense.
  private static let parts = 1_000_000

  /// The keys of a dataset that references of others name, without doubles.
  private func keys(of index: Int) -> [[String]] {
    var keys: [[String]] = []
    for reference in plan.datasets.flatMap(\.references) where reference.parent == index {
      if !keys.contains(reference.key) { keys.append(reference.key) }
    }
    return keys
  }

  private func keyColumn(_ reference: SamplePlan.Reference) -> String {
    let number = reference.parent.flatMap { keys(of: $0).firstIndex(of: reference.key) } ?? 0
    return "k\(number)"
  }

  /// The same values give the same number, in whatever dataset and of whatever engine's version.
  private static func number(_ columns: [String]) -> String {
    "md5_number(to_json([\(columns.map { "\(quoteIdentifier($0))::VARCHAR" }.joined(separator: ", "))])::VARCHAR)"
  }

  private static func numberOrNull(_ columns: [String]) -> String {
    let isWhole = columns.map { "\(quoteIdentifier($0)) is not null" }.joined(separator: " and ")
    return "case when \(isWhole) then \(number(columns)) end"
  }

  /// Opens the model's data.
  func open(_ objects: any ObjectStore) throws -> String {
    var script: [String] = []
    for (index, dataset) in plan.datasets.enumerated() {
      let references = dataset.references.enumerated().map {
        "\(Self.numberOrNull($0.element.columns)) as r\($0.offset)"
      }
      let keys = keys(of: index).enumerated().map { "\(Self.numberOrNull($0.element)) as k\($0.offset)" }
      let columns = ["\(Self.number(dataset.identity)) as id"] + references + keys
      script += [
        "create view d\(index) as \(try DatasetView.select(dataset.parts, objects))",
        "create table n\(index) as select \(columns.joined(separator: ", ")) from d\(index)",
        "create table p\(index) (id UHUGEINT)",
      ]
    }
    return script.joined(separator: ";\n")
  }

  /// Chooses rows from the roots down. A dataset without references to another is a root, and so is a cycle of them.
  ///
  /// A row follows the first of its references that leads out of its cycle, where the model has the row that it names; one without follows its
  /// own key.
  func descend() -> [String] {
    order().map { index in
      let anchors = anchors(of: index)
      let keys = anchors.map {
        "(select \(keyColumn($0.reference)) from n\($0.parent) where \(keyColumn($0.reference)) is not null)"
      }
      let free = zip(anchors, keys).map { "(r\($0.number) is null or r\($0.number) not in \($1))" }.joined(
        separator: " and ")
      let own = own(index, among: free)
      let follows = zip(anchors, keys).map { anchor, known in
        "when r\(anchor.number) in \(known) then r\(anchor.number) in ("
          + "select n.\(keyColumn(anchor.reference)) from n\(anchor.parent) n semi join p\(anchor.parent) p on p.id = n.id)"
      }
      let condition = follows.isEmpty ? own : "case \(follows.joined(separator: " ")) else \(own) end"
      return "insert into p\(index) select distinct id from n\(index) where \(condition)"
    }
  }

  private func own(_ index: Int, among free: String) -> String {
    switch amount {
    case .share(let share): return "id % \(Self.parts) < \(Int((share * Double(Self.parts)).rounded(.up)))"
    case .rows(let rows):
      let condition = free.isEmpty ? "" : " where \(free)"
      return "id in (select id from (select distinct id from n\(index)\(condition)) order by id limit \(rows))"
    }
  }

  /// Adds the rows that chosen rows name; to be run until it adds none.
  func ascend() -> String {
    var script: [String] = []
    for (child, dataset) in plan.datasets.enumerated() {
      for (number, reference) in dataset.references.enumerated() {
        guard let parent = reference.parent else { continue }
        script.append(
          """
          insert into p\(parent) select distinct n.id from n\(parent) n
          where n.\(keyColumn(reference)) in (
            select c.r\(number) from n\(child) c semi join p\(child) p on p.id = c.id where c.r\(number) is not null)
            and n.id not in (select id from p\(parent))
          """)
      }
    }
    return script.joined(separator: ";\n")
  }

  var chosen: String { counts("p") }
  var all: String { counts("n") }

  private func counts(_ kind: String) -> String {
    plan.datasets.indices.map { "select \($0) as dataset, count(*) as rows from \(kind)\($0)" }
      .joined(separator: " union all ")
  }

  /// Writes the chosen rows of a dataset, masked. Their order is that of the masked values: another one would say which value is whose.
  func write(_ index: Int, to path: String) -> String {
    let dataset = plan.datasets[index]
    let texts = texts(of: dataset)
    let values = dataset.columns.map { column in
      let name = quoteIdentifier(column.name)
      return dataset.masked.contains(SQLName(column.name)) ? "\(SampleMask.expression(column)) as \(name)" : name
    }
    return """
      copy (
        select \(dataset.columns.map { texts.written($0.name) }.joined(separator: ", ")) from (
          select \(values.joined(separator: ", ")) from d\(index)
          where \(Self.number(dataset.identity)) in (select id from p\(index)))
        order by \(Self.number(dataset.identity)))
      to \(quoteLiteral(path)) (format parquet, compression zstd\(texts.metadata))
      """
  }

  /// Opens what was written.
  func reopen(_ index: Int, _ path: String) -> String {
    let dataset = plan.datasets[index]
    return "create view o\(index) as "
      + SnapshotFiles.select([(paths: [path], number: 0)], texts(of: dataset), number: "_sluice_number")
  }

  private func texts(of dataset: SamplePlan.Dataset) -> TextColumns {
    TextColumns(dataset.columns.map { ($0.name, $0.type) })
  }

  /// How many of the written rows name a row that was not written, for each reference.
  var orphans: [(dataset: Int, reference: SamplePlan.Reference, sql: String)] {
    plan.datasets.enumerated().flatMap { child, dataset in
      dataset.references.map { reference in
        let isWhole = reference.columns.map { "c.\(quoteIdentifier($0)) is not null" }.joined(separator: " and ")
        let isSame = zip(reference.columns, reference.key).map {
          "p.\(quoteIdentifier($1)) = c.\(quoteIdentifier($0))"
        }.joined(separator: " and ")
        let isMissing = reference.parent.map { "not exists (select 1 from o\($0) p where \(isSame))" } ?? "true"
        return (child, reference, "select count(*) from o\(child) c where \(isWhole) and \(isMissing)")
      }
    }
  }
}

extension SampleSQL {
  private struct Anchor {
    var number: Int
    var reference: SamplePlan.Reference
    var parent: Int
  }

  /// References that lead out of the cycle that a dataset is in, if it is in one.
  private func anchors(of index: Int) -> [Anchor] {
    let reaches = reaches
    return plan.datasets[index].references.enumerated().compactMap { number, reference in
      guard let parent = reference.parent, parent != index, !reaches[parent][index] else { return nil }
      return Anchor(number: number, reference: reference, parent: parent)
    }
  }

  /// Datasets after those that their anchors name.
  private func order() -> [Int] {
    var done: [Int] = []
    let parents = plan.datasets.indices.map { anchors(of: $0).map(\.parent) }
    while done.count < plan.datasets.count {
      let next = plan.datasets.indices.filter { !done.contains($0) && parents[$0].allSatisfy(done.contains) }
      precondition(!next.isEmpty, "references that lead out of cycles make no cycle")
      done += next
    }
    return done
  }

  /// Whether a dataset names another, over however many others.
  private var reaches: [[Bool]] {
    let all = plan.datasets.indices
    var reaches = all.map { child in
      all.map { parent in plan.datasets[child].references.contains { $0.parent == parent } }
    }
    for middle in all {
      for child in all where reaches[child][middle] {
        for parent in all where reaches[middle][parent] { reaches[child][parent] = true }
      }
    }
    return reaches
  }
}
