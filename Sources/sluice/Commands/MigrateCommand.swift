import ArgumentParser
import Catalog
import Migrations

struct MigrateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "migrate", abstract: "Bring the control database's schema up to date.",
    discussion: """
      A control database belongs to one project folder and environment, and any other is refused. With --adopt it belongs to \
      this one from now on: where the folder that had it was moved here in a way that made new files, or is gone for good.
      """)

  @OptionGroup var options: ProjectOptions
  @Flag(help: "Take the database over from another project folder, which is refused from then on.") var adopt = false

  func run() async throws {
    try await Installation.with(options, migrating: false) { installation in
      // A refused folder changes no schema.
      let isKnown = try await installation.knowsOwner()
      var former = isKnown ? try await confirm(installation) : nil
      let applied = try await installation.migrate()
      if !isKnown { former = try await confirm(installation) }
      if options.json {
        let list = applied.map { migration in
          JSONValue.object([
            ("number", .int(Int64(migration.number))), ("name", .text(migration.name)),
            ("breaking", .bool(migration.isBreaking)),
          ])
        }
        Console.data(
          json: .object([
            ("applied", .list(list)), ("adopted_from", .optional(former.map { "\($0.host):\($0.folder)" })),
          ]))
      } else {
        if applied.isEmpty { Console.data("the schema is up to date") }
        for migration in applied { Console.data("applied \(migration.number) \(migration.name)") }
        if let former {
          Console.data("the database belonged to \(former.folder) (host \(former.host)) and belongs to this folder now")
        } else if adopt {
          Console.data("the database belongs to this folder")
        }
      }
    }
  }

  /// Returns the folder from which the database was taken.
  private func confirm(_ installation: Installation) async throws -> ProjectFolder? {
    if adopt { return try await installation.adopt() }
    try await installation.confirmIdentity(.steering)
    return nil
  }
}
