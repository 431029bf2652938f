import Glibc

/// The folder with `initdb` and `postgres`.
struct ServerBinaries: Sendable, Equatable {
  let folder: String

  var initdb: String { folder + "/initdb" }
  var postgres: String { folder + "/postgres" }

  /// Finds the programs: `SLUICE_POSTGRES_BIN`, Debian's folders (the newest, or the one that a data folder needs), PATH.
  ///
  /// - Parameters:
  ///   - major: The version that wrote the data folder; nil for a new one.
  static func locate(major: String?, environment: [String: String]) throws -> ServerBinaries {
    if let folder = environment["SLUICE_POSTGRES_BIN"], !folder.isEmpty {
      let given = ServerBinaries(folder: folder)
      guard given.isComplete else {
        throw EmbeddedPostgresError(
          .noBinaries, "SLUICE_POSTGRES_BIN=\(folder) has no initdb and postgres",
          hint: "set it to the folder that holds them, such as /usr/lib/postgresql/15/bin")
      }
      return given
    }
    let debian = "/usr/lib/postgresql"
    let versions = listFolder(debian).compactMap { name in Int(name).map { (number: $0, name: name) } }
      .sorted { $0.number > $1.number }.map(\.name)
    let path = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
    let folders = versions.map { "\(debian)/\($0)/bin" } + path
    let candidates = folders.map(ServerBinaries.init(folder:)).filter(\.isComplete)
    guard !candidates.isEmpty else {
      throw EmbeddedPostgresError(
        .noBinaries, "no PostgreSQL server is installed: initdb and postgres are not in \(debian)/*/bin, nor on PATH",
        hint: "run: apt-get install postgresql; or set SLUICE_DATABASE_URL to a server that runs elsewhere")
    }
    guard let major else { return candidates[0] }
    guard let fitting = try candidates.first(where: { try $0.major() == major }) else {
      throw EmbeddedPostgresError(
        .wrongVersion, "the database was made by PostgreSQL \(major), which is not installed",
        hint: "run: apt-get install postgresql-\(major); or move the data with pg_dump and start anew")
    }
    return fitting
  }

  private var isComplete: Bool { access(initdb, X_OK) == 0 && access(postgres, X_OK) == 0 }

  /// `postgres (PostgreSQL) 15.18 (Debian …)` → `15`.
  func major() throws -> String {
    let words = try Command([postgres, "--version"]).run().output.split(separator: " ")
    return words.first { $0.first?.isNumber == true }.map { String($0.prefix { $0.isNumber }) } ?? ""
  }
}

/// The names in a folder; none when it cannot be read.
func listFolder(_ path: String) -> [String] {
  guard let folder = opendir(path) else { return [] }
  defer { closedir(folder) }
  var names: [String] = []
  while let entry = readdir(folder) {
    let name = withUnsafePointer(to: &entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    if name != ".", name != ".." { names.append(name) }
  }
  return names
}
