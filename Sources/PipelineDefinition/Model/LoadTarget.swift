/// A database that datasets are loaded into.
package struct LoadTarget: Sendable, Equatable {
  package var name: String
  package var kind: Kind
  /// At most so many loads into its database at once, of all pipelines; nil: one of each pipeline and target.
  package var concurrency: Int?
  package var tables: [LoadTable]
  package var place: Place

  package enum Kind: Sendable, Equatable { case postgres(url: ValueTemplate) }

  package init(name: String, kind: Kind, concurrency: Int? = nil, tables: [LoadTable], place: Place = .unknown) {
    self.name = name
    self.kind = kind
    self.concurrency = concurrency
    self.tables = tables
    self.place = place
  }
}

package struct LoadTable: Sendable, Equatable {
  package enum Mode: String, Sendable { case append, replace, merge }
  package enum Apply: String, Sendable {
    case once
    /// Only where rows are appended.
    case perChunk = "per_chunk"
  }
  package struct Deletes: Sendable, Equatable {
    package enum Kind: String, Sendable { case soft, hard }
    package var kind: Kind
    /// Share of the target's live rows, 0...1; over it nothing is deleted and the load fails. nil: no limit.
    package var stopOver: Double?
    package init(kind: Kind, stopOver: Double? = nil) {
      self.kind = kind
      self.stopOver = stopOver
    }
  }

  package static let defaultSchema = "public"

  /// The schema of the target's table; ``defaultSchema`` where none was written.
  package var schema: String
  package var table: String
  package var from: String
  package var mode: Mode
  package var key: [String]
  package var deletes: Deletes?
  package var apply: Apply
  package var place: Place

  package init(
    schema: String, table: String, from: String, mode: Mode, key: [String] = [], deletes: Deletes? = nil,
    apply: Apply = .once, place: Place = .unknown
  ) {
    self.schema = schema
    self.table = table
    self.from = from
    self.mode = mode
    self.key = key
    self.deletes = deletes
    self.apply = apply
    self.place = place
  }
}

/// Who is told of what.
package struct NotifyRule: Sendable, Equatable {
  package enum Channel: Sendable, Equatable {
    case webhook(ValueTemplate)
    /// The event arrives as JSON on standard input, and each of the secrets as an environment variable.
    case command([ValueTemplate], secrets: [String])
  }
  package var when: [String]
  package var channel: Channel
  package var place: Place
  package init(when: [String], channel: Channel, place: Place = .unknown) {
    self.when = when
    self.channel = channel
    self.place = place
  }
}
