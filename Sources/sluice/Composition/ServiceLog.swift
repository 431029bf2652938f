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

  /// A log may have grown to any size; what a process said last is at its end.
  private static let mostBytes: UInt64 = 64 << 10

  private static func tail(of log: Start) -> String {
    let descriptor = Glibc.open(log.path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return "" }
    let size = UInt64(status.st_size)
    let start = max(min(log.offset, size), size - min(size, mostBytes))
    var bytes = [UInt8](repeating: 0, count: Int(size - start))
    let count = pread(descriptor, &bytes, bytes.count, off_t(start))
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
  }

  /// The error that ended a process, as it told it, else its last lines; with an end of line before.
  func lastWords(of log: Start) -> String {
    let lines = Self.tail(of: log).split(separator: "\n")
    if let last = lines.lastIndex(where: { $0.hasPrefix("sluice: ") }) {
      // The way out follows, indented.
      let more = lines[(last + 1)...].prefix { $0.hasPrefix("  ") }
      return "\n" + ([lines[last].dropFirst("sluice: ".count)] + more).joined(separator: "\n")
    }
    return lines.isEmpty ? "" : "; the end of its log:\n" + lines.suffix(5).joined(separator: "\n")
  }
}
