import Foundation

/// One text file of the project, as the rules look at it.
struct SourceFile: CustomStringConvertible, Sendable {
  /// Relative to the project's root: `Sources/JobStore/JobStore.swift`.
  let path: String
  let text: String
  let lines: [Substring]
  /// Lines without their comments, so that a rule about code is not about prose. Text in quotation marks stays.
  let codeLines: [(number: Int, code: Substring)]

  init(path: String, text: String) {
    self.path = path
    self.text = text
    lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let marker = path.hasSuffix(".sql") ? "--" : "//"
    codeLines = lines.enumerated().map { ($0 + 1, Self.code(of: $1, marker: marker)) }
  }

  var description: String { path }
  var name: String { path.split(separator: "/").last.map(String.init) ?? path }
  var pathExtension: String { name.contains(".") ? String(name.split(separator: ".").last ?? "") : "" }

  /// The module of a file of `Sources/` or `migrations/`; nil elsewhere.
  var module: String? {
    let parts = path.split(separator: "/").map(String.init)
    switch parts.first {
    case "Sources" where parts.count > 2: return parts[1]
    case "migrations": return "Migrations"
    default: return nil
    }
  }

  /// Whether the code of this line has a comment: at its end, or within the three lines above.
  func hasReason(atLine number: Int) -> Bool {
    lines[max(0, number - 4)..<number].contains { $0.contains("//") }
  }

  /// Where a pattern stands in the code. `literal` is a part of every match: looking for it first is quick.
  func places(of pattern: Regex<Substring>, with literal: String, message: String) -> [Violation] {
    guard text.contains(literal) else { return [] }
    return codeLines.compactMap { number, code in
      code.contains(literal) && code.contains(pattern) ? Violation(path: path, line: number, message: message) : nil
    }
  }

  /// An odd number of quotation marks before a comment's marker means that it stands inside of them: `"https://…"`.
  private static func code(of line: Substring, marker: String) -> Substring {
    guard let comment = line.range(of: marker) else { return line }
    let mark: Character = marker == "--" ? "'" : "\""
    let isQuoted = line[..<comment.lowerBound].count { $0 == mark } % 2 == 1
    return isQuoted ? line : line[..<comment.lowerBound]
  }
}

/// What a rule does not allow, and where: printed as a compiler would.
struct Violation: CustomStringConvertible, Sendable, Equatable {
  var path: String
  /// From 1.
  var line: Int
  var message: String
  var description: String { "\(path):\(line): \(message)" }
}
