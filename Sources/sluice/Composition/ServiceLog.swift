import FoundationEssentials
import Glibc

/// The logs of background processes, from a moment on.
struct ServiceLog {
  struct Start {
    var path: String
    var offset: UInt64
  }

  let control: Start
  let workers: Start

  init(folder: String, control: String, workers: String) throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    self.control = Self.end(of: folder + "/" + control)
    self.workers = Self.end(of: folder + "/" + workers)
  }

  private static func end(of path: String) -> Start {
    var status = stat()
    return Start(path: path, offset: stat(path, &status) == 0 ? UInt64(status.st_size) : 0)
  }

  /// The error that ended a process, as it told it, else its last lines; with an end of line before.
  func lastWords(of log: Start) -> String {
    guard let file = FileManager.default.contents(atPath: log.path) else { return "" }
    let lines = String(decoding: file.dropFirst(Int(log.offset)), as: UTF8.self).split(separator: "\n")
    if let last = lines.lastIndex(where: { $0.hasPrefix("sluice: ") }) {
      // The way out follows, indented.
      let more = lines[(last + 1)...].prefix { $0.hasPrefix("  ") }
      return "\n" + ([lines[last].dropFirst("sluice: ".count)] + more).joined(separator: "\n")
    }
    return lines.isEmpty ? "" : "; the end of its log:\n" + lines.suffix(5).joined(separator: "\n")
  }
}
