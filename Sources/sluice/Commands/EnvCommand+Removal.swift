import ArgumentParser
import Glibc
import JobModel
import PipelineDefinition

struct EnvDownCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "down", abstract: "Remove an environment that env up made: processes, database, storage, state.",
    discussion:
      "It lists what will be removed and asks; --yes answers. A protected environment is refused (exit code 3).")

  @OptionGroup var options: ProjectOptions
  @Argument(help: "Its name.") var name: String
  @Flag(help: "Remove it without asking.") var yes = false
  @Flag(help: "Also where its database lost its mark, and the token in the database says that env up made it.")
  var force = false

  func run() async throws {
    let project = try options.wholeProject()
    try await EnvironmentServer.with(project) { server in
      guard let removal = try await EnvironmentRemoval.find(name, on: server, isForced: force) else {
        return try nothing(server)
      }
      try removal.refuseProtected()
      let parts = try await removal.parts()
      let talk = RemovalTalk(environment: name, verb: "down")
      if !yes { try talk.confirm(parts) }
      let left = try await removal.remove(isReset: false)
      tell(talk, parts, left)
      if !left.isEmpty { throw ExitStatus.failed }
    }
  }

  private func nothing(_ server: EnvironmentServer) throws {
    let stateDirectory = Installation.stateDirectory(server.directory, environment: name)
    guard var file = try CopyFile.read(stateDirectory) else {
      throw Refusal(
        code: "not_made_by_env_up", message: "env up made no environment \(name) here; nothing is removed",
        hint: "sluice env list")
    }
    if file.isReset == true {
      // A reset that was killed is given up.
      file.isReset = nil
      try file.write(stateDirectory)
    }
    tell(RemovalTalk(environment: name, verb: "down"), [], [])
  }

  private func tell(
    _ talk: RemovalTalk, _ removed: [EnvironmentRemoval.Part], _ left: [EnvironmentRemoval.Part]
  ) {
    guard !options.json else {
      return Console.data(json: .object([("environment", .text(name))] + RemovalTalk.fields(removed, left)))
    }
    if removed.isEmpty { return Console.data("nothing is there of the environment \(name)") }
    talk.tell(removed, left)
    if left.isEmpty { Console.data("nothing is left of the environment \(name)") }
  }
}

struct EnvResetCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reset", abstract: "Put an environment back to what env up made.",
    discussion: """
      Its processes, database, storage and state are removed as by env down, and it is made again with the same model, scale and time \
      to live, which begins again. It lists what will be removed and asks; --yes answers. A protected environment is refused (exit code 3). \
      One that was interrupted is continued by the same call.
      """)

  @OptionGroup var options: ProjectOptions
  @Argument(help: "Its name.") var name: String
  @Flag(help: "Reset it without asking.") var yes = false

  func run() async throws {
    let project = try options.wholeProject()
    try await EnvironmentServer.with(project) { server in
      let reset = try await EnvironmentReset.find(name, of: project, on: server)
      let parts = try await reset.parts()
      let talk = RemovalTalk(environment: name, verb: "reset")
      if !yes { try talk.confirm(parts) }
      let (left, made) = try await reset.run()
      tell(talk, parts, left, made)
      if !left.isEmpty { throw ExitStatus.failed }
    }
  }

  private func tell(
    _ talk: RemovalTalk, _ removed: [EnvironmentRemoval.Part], _ left: [EnvironmentRemoval.Part],
    _ made: EnvironmentMaking.Made?
  ) {
    let end = made?.marker.expires.map { EnvironmentTime.text($0) }
    guard !options.json else {
      return Console.data(
        json: .object(
          [("environment", .text(name)), ("made", .bool(made != nil))] + RemovalTalk.fields(removed, left) + [
            ("expires_at", .optional(end))
          ]))
    }
    talk.tell(removed, left)
    guard let made else { return }
    Console.data(
      "\(name) is ready again, like \(made.file.copy.model), scale \(made.file.copy.scale), "
        + (end.map { "until \($0)" } ?? "until it is removed"))
  }
}

/// How verbs that remove an environment ask, and say what they removed.
struct RemovalTalk {
  let environment: String
  let verb: String

  /// - Throws: ``Refusal`` `not_confirmed`.
  func confirm(_ parts: [EnvironmentRemoval.Part]) throws {
    guard !parts.isEmpty else { return }
    let list = parts.map { "  \($0.kind) \($0.place)" }.joined(separator: "\n")
    guard isatty(STDIN_FILENO) == 1 else {
      throw Refusal(
        code: "not_confirmed", message: "of the environment \(environment) these would be removed:\n\(list)",
        hint: "sluice env \(verb) \(environment) --yes")
    }
    Console.note(
      "these will be removed:\n\(list)\n\(verb == "down" ? "remove" : verb) the environment \(environment)? [y/N]")
    guard ["y", "yes"].contains(readLine()?.lowercased() ?? "") else {
      throw Refusal(code: "not_confirmed", message: "nothing is removed")
    }
  }

  func tell(_ removed: [EnvironmentRemoval.Part], _ left: [EnvironmentRemoval.Part]) {
    for part in removed where !left.contains(where: { $0.kind == part.kind && $0.place == part.place }) {
      let size = part.bytes.map { " (\(ProgressDisplay.megabytes($0)))" } ?? ""
      Console.data("removed \(part.kind) \(part.place)\(size)")
    }
    for part in left { Console.data("could not remove \(part.kind) \(part.place)") }
  }

  static func fields(
    _ removed: [EnvironmentRemoval.Part], _ left: [EnvironmentRemoval.Part]
  ) -> [(String, JSONValue)] {
    [("removed", .list(removed.map(\.json))), ("left", .list(left.map(\.json)))]
  }
}

extension EnvironmentRemoval.Part {
  fileprivate var json: JSONValue {
    .object([("kind", .text(kind)), ("place", .text(place)), ("bytes", .optional(bytes))])
  }
}
