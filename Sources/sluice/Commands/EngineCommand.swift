import ArgumentParser
import FoundationEssentials
import Releases

struct EngineCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "engine", abstract: "Say what this binary is: its version, and which checkpoints it goes on from.",
    discussion: "sluice deploy asks this of the engine that it deploys. Needs neither project nor database.")

  @Flag(help: "Print JSON.") var json = false

  func run() throws {
    let description = Engine.description
    guard json else {
      Console.data("sluice \(description.version), schema \(description.schema)")
      Console.data("reads \(description.reads.joined(separator: ", "))")
      if !description.migrates.isEmpty { Console.data("migrates \(description.migrates.joined(separator: ", "))") }
      Console.data("writes \(description.writes.joined(separator: ", "))")
      return
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    Console.data(json: try encoder.encode(description))
  }
}
