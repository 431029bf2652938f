import ArgumentParser
import FoundationEssentials
import JobModel
import PipelineDefinition

struct InitCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "init", abstract: "Make a project with a pipeline that runs at once; no file that exists is changed.")

  @Argument(help: "The directory; made when it does not exist.") var directory = "."
  @Flag(help: "Print JSON.") var json = false

  func run() async throws {
    var made: [String] = []
    for (path, text) in Self.files {
      let full = directory + "/" + path
      guard !FileManager.default.fileExists(atPath: full) else { continue }
      do {
        try PrivateState.withUserMask {
          try FileManager.default.createDirectory(
            at: URL(filePath: full).deletingLastPathComponent(), withIntermediateDirectories: true)
          try Data(text.utf8).write(to: URL(filePath: full), options: .withoutOverwriting)
        }
      } catch {
        throw StageFailure(
          code: "not_written", message: "\(full) could not be written", hint: "check the directory's permissions")
      }
      made.append(path)
    }
    if json {
      Console.data(json: .object([("directory", .text(directory)), ("made", .list(made.map(JSONValue.text)))]))
    } else {
      for path in made { Console.data("made \(path)") }
      Console.data("next: sluice check, then sluice run cities" + (directory == "." ? "" : ", in \(directory)"))
    }
  }

  /// The smallest project that shows the way from a file to a dataset.
  static let files: [(path: String, text: String)] = [
    (
      "pipelines/cities.yaml",
      """
      pipeline: cities
      sources:
        samples:
          files: {at: "file:data"}
          streams:
            cities: {match: "*.csv", read: full, key: [city], records: {format: csv}}
      curate:
        cities:
          from: samples.cities
          columns:
            city:       {type: text, required: true}
            country:    {type: text, pattern: "[A-Z]{2}"}
            population: {type: bigint, min: 0}

      """
    ),
    (
      "data/cities.csv",
      """
      city,country,population
      Zurich,CH,443037
      Oslo,NO,717710
      Lima,PE,10092000
      Atlantis,??,unknown

      """
    ),
    (
      "sluice.yaml",
      """
      # Every key is optional: the database, the storage, limits and secrets of this project.
      limits: {memory: 1GB, slots: 2}

      """
    ),
    (".gitignore", ".sluice/\nsecrets/\n"),
  ]
}
