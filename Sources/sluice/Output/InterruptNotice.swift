import Dispatch
import Glibc

/// Ctrl-C, or SIGTERM, while this process only looks at something that continues without it. It says so, names the commands that
/// look at it again and stop it, and ends with exit code 6.
/// Sendable because Dispatch sources are thread-safe objects and the rest never changes.
final class InterruptNotice: @unchecked Sendable {
  private let sources: [any DispatchSourceSignal]

  private init(_ text: String, json: JSONValue?) {
    sources = [SIGINT, SIGTERM].map { number in
      // Until then the source alone acts on it.
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler {
        Console.note(text)
        if let json { Console.data(json: json) }
        _exit(ExitStatus.timedOut.rawValue)
      }
      source.resume()
      return source
    }
  }

  private func end() {
    for source in sources { source.cancel() }
    for number in [SIGINT, SIGTERM] { signal(number, SIG_DFL) }
  }

  /// - Parameter json: Printed as well, where JSON was asked for.
  static func during<T>(_ text: String, json: JSONValue? = nil, _ body: () async throws -> T) async throws -> T {
    let notice = InterruptNotice(text, json: json)
    defer { notice.end() }
    return try await body()
  }
}
