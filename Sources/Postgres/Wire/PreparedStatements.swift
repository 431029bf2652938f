/// The names under which one session knows its prepared statements.
///
/// A name is used for one statement and never again: whatever became of a PREPARE whose answer was lost, the next one
/// cannot meet it.
struct PreparedStatements {
  struct Name {
    var text: String
    /// The server has not heard of it yet.
    var isNew: Bool
  }

  /// Behind a transaction pooler the next transaction may run in another session, which knows none of them.
  private let isPooled: Bool
  /// By the statement's text, which is what was prepared.
  private var names: [String: String] = [:]
  private var count = 0

  init(isPooled: Bool) { self.isPooled = isPooled }

  /// Nil for a statement that is not to be prepared.
  mutating func name(of statement: SQLStatement) -> Name? {
    guard statement.isPrepared, !isPooled else { return nil }
    if let known = names[statement.text] { return Name(text: known, isNew: false) }
    count += 1
    return Name(text: "\(statement.name)#\(count)", isNew: true)
  }

  mutating func keep(_ name: String, for statement: SQLStatement) { names[statement.text] = name }
  mutating func forget(_ statement: SQLStatement) { names[statement.text] = nil }
}
