import Glibc

/// Data to standard output, everything else to standard error.
enum Console {
  static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }

  static func data(_ text: String) { write(text + "\n", to: STDOUT_FILENO) }
  static func data(json: JSONValue) { data(json.text) }
  static func note(_ text: String) { write(text + "\n", to: STDERR_FILENO) }
  /// Without an end of line, for what is drawn over again.
  static func draw(_ text: String) { write(text, to: STDERR_FILENO) }

  private static func write(_ text: String, to descriptor: Int32) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      // The reader went away: nobody is left to tell.
      guard count > 0 else { return }
      bytes = bytes.dropFirst(count)
    }
  }
}
