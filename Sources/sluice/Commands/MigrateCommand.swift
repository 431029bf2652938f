import ArgumentParser
import Migrations

struct MigrateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "migrate", abstract: "Bring the control database's schema up to date.")

  @OptionGroup var options: ProjectOptions

  func run() async throws {
    try await Installation.with(options, migrating: false) { installation in
      let applied = try await installation.migrate()
      if options.json {
        let list = applied.map { migration in
          JSONValue.object([
            ("number", .int(Int64(migration.number))), ("name", .text(migration.name)),
            ("breaking", .bool(migration.isBreaking)),
          ])
        }
        Console.data(json: .object([("applied", .list(list))]))
      } else if applied.isEmpty {
        Console.data("the schema is up to date")
      } else {
        for migration in applied { Console.data("applied \(migration.number) \(migration.name)") }
      }
    }
  }
}
