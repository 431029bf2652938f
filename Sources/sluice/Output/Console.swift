import FoundationEssentials
import Glibc

/// Data to standard output, everything else to standard error. Nothing that is printed can command a terminal:
/// see ``TerminalText``.
enum Console {
  static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }

  static func data(_ text: String) { write(TerminalText.lines(text) + "\n", to: STDOUT_FILENO) }
  static func data(json: JSONValue) { write(TerminalText.json(json.text) + "\n", to: STDOUT_FILENO) }
  /// A piece of a JSON text that is printed as it comes.
  static func part(json: String) { write(TerminalText.json(json), to: STDOUT_FILENO) }
  /// JSON from an encoder.
  static func data(json: Data) { data(json: .raw(String(decoding: json, as: UTF8.self))) }
  /// A piece of a JSON value, without an end of line.
  static func part(_ json: String) { write(TerminalText.json(json), to: STDOUT_FILENO) }
  static func note(_ text: String) { write(TerminalText.lines(text) + "\n", to: STDERR_FILENO) }

  /// Draws lines on a terminal, over those that were drawn before.
  static func draw(_ lines: [String], over drawn: Int) {
    let start = drawn > 0 ? "\u{1B}[\(drawn)A" : ""
    write(start + lines.map { "\u{1B}[2K" + TerminalText.line($0) + "\n" }.joined(), to: STDERR_FILENO)
  }

  private static func write(_ text: String, to descriptor: Int32) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      // The reader went away: there is no reader left to tell.
      guard count > 0 else { return }
      bytes = bytes.dropFirst(count)
    }
  }
}

/// Where the log is written, a line at a time.
struct LogStream: TextOutputStream, Sendable {
  mutating func write(_ string: String) {
    let line = string.utf8.last == UInt8(ascii: "\n") ? String(string.dropLast()) : string
    Console.note(TerminalText.line(line))
  }
}
