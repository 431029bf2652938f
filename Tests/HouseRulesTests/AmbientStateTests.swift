import Testing

/// Clock, identity and chance come in through `init`: library code that reaches for them cannot be tested without a
/// sleep, and cannot be replayed.
@Suite struct AmbientStateTests {
  /// A place that may reach for the world itself, and why.
  struct Exception: Sendable, CustomStringConvertible {
    var path: String
    var use: String
    var reason: String
    var description: String { "\(use) in \(path)" }
  }

  static let exceptions: [Exception] = [
    Exception(
      path: "Sources/JobWorker/AttemptExecutor.swift", use: ".random(",
      reason: "the jitter of a retry: RetryPolicy, which decides, takes it as a parameter and is tested with given ones"
    ),
    Exception(
      path: "Sources/JobWorker/QueueLoop.swift", use: ".random(",
      reason: "the jitter of a poll, so that a fleet does not poll in step; nothing depends on its value"),
    Exception(
      path: "Sources/DuckDB/DuckDB.swift", use: ".random(",
      reason: "the default of an init parameter: a mark that no data can know"),
    Exception(
      path: "Sources/Monitoring/Notifier.swift", use: ".random(",
      reason: "the default of an init parameter: tests pass their own"),
  ]

  static let uses = ["Task.sleep", "Date()", "UUID()", ".random(", ".shuffled()", ".randomElement()"]

  @Test("library code takes its clock, its ids and its chance from its caller", arguments: uses)
  func passedIn(use: String) {
    let allowed = Set(Self.exceptions.filter { $0.use == use }.map(\.path))
    let violations = SourceTree.librarySources.filter { !allowed.contains($0.path) }.flatMap { file in
      Self.places(of: use, in: file)
    }
    #expect(violations.isEmpty, "\(list(violations))")
  }

  @Test("every exception has a reason and is still needed", arguments: exceptions)
  func needed(exception: Exception) throws {
    let file = try #require(SourceTree.file(exception.path))
    #expect(!Self.places(of: exception.use, in: file).isEmpty)
    #expect(exception.reason.count > 20)
  }

  @Test("a use is caught, and one in a comment is not")
  func caught() {
    let text = "// Task.sleep would do\ntry await Task.sleep(for: .seconds(1))\n"
    let places = Self.places(of: "Task.sleep", in: SourceFile(path: "Sources/JobWorker/Loop.swift", text: text))
    #expect(places.map(\.line) == [2])
  }

  static func places(of use: String, in file: SourceFile) -> [Violation] {
    file.codeLines.compactMap { number, code in
      code.contains(use)
        ? Violation(path: file.path, line: number, message: "\(use) stays out of library code: pass it in") : nil
    }
  }
}
