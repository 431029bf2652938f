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

  /// All of it, or the end of the process: a result that is cut off must not look like a success. What cannot be told on standard
  /// error is lost.
  private static func write(_ text: String, to descriptor: Int32) {
    let failure = send(Array(text.utf8), to: descriptor)
    guard failure != 0, descriptor == STDOUT_FILENO else { return }
    if failure == EPIPE {
      // The reader went away, as `head` does: the process ends as other programs do.
      signal(SIGPIPE, SIG_DFL)
      raise(SIGPIPE)
    }
    note("sluice: cannot write the result: \(String(cString: strerror(failure)))")
    Glibc.exit(ExitStatus.failed.rawValue)
  }

  /// Waits where a descriptor that does not block takes no more for now.
  ///
  /// - Returns: 0, or the error number that ended the writing.
  static func send(_ bytes: [UInt8], to descriptor: Int32) -> Int32 {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      let failure = errno
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if count < 0, failure == EAGAIN || failure == EWOULDBLOCK {
        var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        _ = poll(&ready, 1, -1)
      } else if count == 0 || failure != EINTR {
        return count == 0 ? EIO : failure
      }
    }
    return 0
  }
}

/// Where the log is written, a line at a time.
struct LogStream: TextOutputStream, Sendable {
  mutating func write(_ string: String) {
    let line = string.utf8.last == UInt8(ascii: "\n") ? String(string.dropLast()) : string
    Console.note(TerminalText.line(line))
  }
}
