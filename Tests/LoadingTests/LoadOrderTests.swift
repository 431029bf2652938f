import PipelineDefinition
import Testing

@testable import Loading

@Suite("The order in which snapshots are loaded")
struct LoadOrderTests {
  private func snapshot(_ uuid: String, full: Bool) -> SnapshotToLoad {
    SnapshotToLoad(uuid: uuid, number: 0, dataset: "orders", isFull: full, columns: [], files: [])
  }

  struct Case: Sendable, CustomTestStringConvertible {
    var title: String
    /// Upper case: full; lower case: incremental. In the catalog's order.
    var snapshots: String
    var known: String
    /// Of the known ones.
    var notIn = ""
    var mode: LoadTable.Mode
    var superseded: String
    var pending: String
    var testDescription: String { title }
  }

  @Test(
    "a snapshot is loaded in order unless a newer full one holds it",
    arguments: [
      Case(title: "nothing", snapshots: "", known: "", mode: .merge, superseded: "", pending: ""),
      Case(title: "incremental in order", snapshots: "abc", known: "", mode: .merge, superseded: "", pending: "abc"),
      Case(title: "only what is missing", snapshots: "abcd", known: "ac", mode: .merge, superseded: "", pending: "bd"),
      Case(title: "only the newest full", snapshots: "ABC", known: "", mode: .replace, superseded: "AB", pending: "C"),
      Case(
        title: "older than a loaded full", snapshots: "ABC", known: "C", mode: .merge, superseded: "AB", pending: ""),
      Case(
        title: "what came before and after", snapshots: "abCd", known: "a", mode: .merge, superseded: "b", pending: "Cd"
      ),
      Case(
        title: "append keeps every batch", snapshots: "ABC", known: "A", mode: .append, superseded: "", pending: "BC"),
      Case(
        title: "a full one that was left out makes none superfluous", snapshots: "aBCd", known: "", notIn: "C",
        mode: .replace, superseded: "a", pending: "Bd"),
      Case(
        title: "one that was left out after a loaded one", snapshots: "ABcD", known: "B", notIn: "AD", mode: .merge,
        superseded: "", pending: "c"),
      Case(title: "all known", snapshots: "AbC", known: "AbC", mode: .merge, superseded: "", pending: ""),
    ])
  func order(_ example: Case) {
    let snapshots = example.snapshots.map { snapshot(String($0), full: $0.isUppercase) }
    let order = LoadOrder(
      snapshots, known: Set((example.known + example.notIn).map(String.init)),
      superseded: Set(example.notIn.map(String.init)), mode: example.mode)
    #expect(order.superseded.map(\.uuid).joined() == example.superseded)
    #expect(order.pending.map(\.uuid).joined() == example.pending)
  }
}
