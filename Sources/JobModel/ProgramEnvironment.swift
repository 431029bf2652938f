/// What a program of the user gets of this process's environment.
package enum ProgramEnvironment {
  /// What a program needs to find other programs, the user's files and its language.
  private static let names: Set<String> = [
    "HOME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "SHELL", "TMPDIR", "TZ", "USER",
  ]

  /// The variables that every program needs, without the database's URL and the secrets.
  package static func common(of environment: [String: String]) -> [String: String] {
    environment.filter { names.contains($0.key) || $0.key.hasPrefix("LC_") }
  }
}
