import Glibc

/// Small files, as texts.
enum FileContent {
  private static let most = 16 * 1024

  /// The first 16 KiB of a file, or the last bytes; nil when it cannot be read.
  static func read(_ path: String, last: Int? = nil) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    if let last {
      let length = lseek(descriptor, 0, SEEK_END)
      lseek(descriptor, max(0, length - off_t(last)), SEEK_SET)
    }
    var bytes = [UInt8](repeating: 0, count: last ?? most)
    let count = Glibc.read(descriptor, &bytes, bytes.count)
    return count < 0 ? nil : String(decoding: bytes[..<count], as: UTF8.self)
  }
}
