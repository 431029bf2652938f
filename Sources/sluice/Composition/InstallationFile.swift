import FoundationEssentials
import Glibc
import JobModel
import ObjectStore

/// Which installation a project folder is, for one environment: the file `.sluice/ENV/installation`.
///
/// The control database has the same identity. It is the file that counts and not the path: a folder may be moved, and
/// several hosts or a new container may see it under other paths.
struct InstallationFile: Codable, Equatable {
  var identity: String
  /// Where and on which host it was made: for people.
  var folder: String
  var host: String

  static func path(_ stateDirectory: String) -> String { stateDirectory + "/installation" }

  /// - Throws: `StageFailure` `installation_file` where there is something else.
  static func read(_ stateDirectory: String) throws -> InstallationFile? {
    let path = path(stateDirectory)
    guard access(path, F_OK) == 0 else { return nil }
    guard let data = FileManager.default.contents(atPath: path),
      let file = try? JSONDecoder().decode(InstallationFile.self, from: data), !file.identity.isEmpty
    else {
      throw StageFailure(
        code: "installation_file", message: "\(path), which says which installation this folder is, cannot be read",
        hint: "restore it from a backup, or remove it and call: sluice migrate --adopt")
    }
    return file
  }

  /// The folder's file; made where there is none. Of several processes that make it at once, one succeeds.
  static func readOrMake(_ stateDirectory: String, _ new: InstallationFile) throws -> InstallationFile {
    if let file = try read(stateDirectory) { return file }
    let draft = "\(path(stateDirectory)).\(getpid())"
    try new.write(to: draft)
    defer { unlink(draft) }
    let made = link(draft, path(stateDirectory))
    let reason = errno
    if let file = try read(stateDirectory) { return file }
    throw StageFailure(
      code: "installation_file",
      message:
        "\(path(stateDirectory)) cannot be made: \(made == 0 ? "it is gone" : String(cString: strerror(reason)))",
      hint: "let the user of this process write to \(stateDirectory)")
  }

  /// Makes it the folder's, whatever was there.
  func replace(in stateDirectory: String) throws { try write(to: Self.path(stateDirectory)) }

  private func write(to path: String) throws {
    try PrivateFiles.createFolder(String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)]))
    try PrivateFiles.write(Array(try JSONEncoder().encode(self)), to: path)
  }

  /// The device and the number of the folder that the file is in. A copy of the folder has another, also one of hard links;
  /// the same folder has the same number under every path and on every host.
  static func inode(_ stateDirectory: String) -> String? {
    var status = stat()
    guard access(path(stateDirectory), F_OK) == 0, stat(stateDirectory, &status) == 0 else { return nil }
    return "\(status.st_dev):\(status.st_ino)"
  }

  /// Whether two values of ``inode(_:)`` name one folder. Each host numbers its devices by itself.
  static func isSame(_ one: String, _ other: String, onOneHost: Bool) -> Bool {
    onOneHost ? one == other : one.split(separator: ":").last == other.split(separator: ":").last
  }
}
