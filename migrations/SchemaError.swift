import JobModel

/// The database's schema is newer than this engine can work with.
package struct SchemaError: Failure, Equatable {
  package var number: Int
  package var name: String
  /// The newest migration that this engine knows.
  package var known: Int

  package var code: String { "schema_too_new" }
  package var message: String {
    "the database has the breaking migration \(number) (\(name)); this engine knows migrations up to \(known)"
  }
  package var hint: String? { "start a newer engine against this database, or this one against its own" }
  package var isTransient: Bool { false }
}

/// A migration that engines at work could not live with; nothing was changed.
package struct MigrationRefused: Failure, Equatable {
  package var number: Int
  package var name: String
  /// Workers and releases that do not know it.
  package var holders: [String]

  package var code: String { "migration_refused" }
  package var message: String {
    "migration \(number) (\(name)) would break what is at work: \(holders.joined(separator: ", "))"
  }
  package var hint: String? {
    "use the engine that runs until they are done: sluice drain RELEASE, or sluice down; then call this one again"
  }
  package var isTransient: Bool { false }
}

/// The database's encoding cannot hold every text that a job, its data or its failure may have.
package struct EncodingRefused: Failure, Equatable {
  package var database: String
  /// As PostgreSQL calls it, such as `LATIN1`.
  package var encoding: String

  package var code: String { "database_encoding" }
  package var message: String { "the database \(database) has the encoding \(encoding); UTF8 is needed" }
  package var hint: String? {
    "make one: create database NAME encoding 'UTF8' template template0; then name it in the database's URL"
  }
  package var isTransient: Bool { false }
}
