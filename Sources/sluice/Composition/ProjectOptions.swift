import ArgumentParser
import FoundationEssentials
import JobModel
import PipelineDefinition

/// What every verb takes.
struct ProjectOptions: ParsableArguments {
  @Option(
    name: [.customShort("C"), .customLong("project")],
    help: "The project directory (default: this one, or the one above that holds a project).")
  var projectDirectory: String?

  @Option(name: .customLong("env"), help: "The environment (default: SLUICE_ENV, else local).")
  var environment: String?

  @Flag(help: "Print JSON.")
  var json = false

  /// Absolute, with links resolved, so that it names the same lock files and sockets from everywhere.
  func resolvedDirectory() throws -> String {
    let working = FileManager.default.currentDirectoryPath
    guard let named = projectDirectory else { return Project.find(from: working) ?? working }
    let path = named.hasPrefix("/") ? named : working + "/" + named
    var isDirectory = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), isDirectory else {
      throw StageFailure(
        code: "usage", message: "there is no project directory \(named)", hint: "make one: sluice init \(named)")
    }
    return URL(filePath: path).resolvingSymlinksInPath().path(percentEncoded: false).droppingTrailingSlash
  }

  var environmentName: String {
    environment ?? ProcessInfo.processInfo.environment["SLUICE_ENV"] ?? Project.defaultEnvironment
  }

  /// Reads the project. Diagnostics are the caller's to judge.
  func project() throws -> Project {
    let directory = try resolvedDirectory()
    return try Project.load(
      directory: directory, environment: environmentName,
      copy: try CopyFile.usable(directory, environment: environmentName))
  }
}

extension String {
  var droppingTrailingSlash: String { count > 1 && hasSuffix("/") ? String(dropLast()) : self }
}
