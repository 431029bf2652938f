import FoundationEssentials
import Glibc

/// The operators of a statement that ran, each with the rows that it gave, as the engine counted them while it ran.
///
/// Only what the engine writes with ``settings`` is read: no times, which would cost some.
package struct StatementPlan: Sendable, Equatable {
  package let name: String
  package let rows: Int
  /// Where its rows come from.
  package let inputs: [StatementPlan]

  package init(name: String, rows: Int, inputs: [StatementPlan] = []) {
    self.name = name
    self.rows = rows
    self.inputs = inputs
  }

  static let settings = #"{"OPERATOR_CARDINALITY": "true"}"#

  /// The names of all operators.
  package var names: Set<String> { inputs.reduce(into: [name]) { $0.formUnion($1.names) } }

  /// The rows that all operators of a name gave together.
  package func rows(of name: String) -> Int {
    inputs.reduce(self.name == name ? rows : 0) { $0 + $1.rows(of: name) }
  }

  static func remove(_ path: String) { unlink(path) }

  /// The plan that the engine wrote last; nil where it wrote none, or wrote it in another form.
  package static func read(_ path: String) -> StatementPlan? {
    guard let data = try? Data(contentsOf: URL(filePath: path)),
      let root = try? JSONDecoder().decode(Root.self, from: data), root.children.count == 1
    else { return nil }
    return StatementPlan(root.children[0])
  }

  private init(_ node: Node) {
    name = String(node.name.split(separator: " ").first ?? "")
    rows = node.rows
    inputs = node.children.map(StatementPlan.init)
  }

  private struct Root: Decodable {
    let children: [Node]
  }

  private struct Node: Decodable {
    let name: String
    let rows: Int
    let children: [Node]
    enum CodingKeys: String, CodingKey {
      case name = "operator_name"
      case rows = "operator_cardinality"
      case children
    }
  }
}
