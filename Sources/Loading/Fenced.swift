import JobModel

/// The target's ledger has seen a higher ticket: a later attempt has the table, or the control database was restored.
package struct Fenced: Failure, Equatable {
  package var target: String
  package var table: String
  package var ticket: Int64
  /// The ledger's; nil where it could not be read any more.
  package var head: Int64?

  package var code: String { "fenced" }
  package var message: String {
    "target \(target): ticket \(ticket) may no longer write to \(table): "
      + "the ledger has seen \(head.map { "ticket \($0)" } ?? "a higher one")"
  }
  package var hint: String? { "a later attempt has the table, or the next attempt of this job draws a higher ticket" }
  package var isTransient: Bool { true }
}
