import Foundation

/// One rule of the house, checked on the text of one file.
struct StyleRule: CustomStringConvertible, Sendable {
  var description: String
  /// Which files it is about.
  var applies: @Sendable (SourceFile) -> Bool
  var violations: @Sendable (SourceFile) -> [Violation]
  /// A file that it must catch, so that the rule itself is known to work.
  var mistake: SourceFile

  static let all: [StyleRule] = [
    bannedFileNames, bannedTypeNames, leftovers, longFiles, machinePaths, queueSQL, sqlHeaders, unexplained,
    silentWrites, otherPrints,
  ]

  // Split, so that this file does not break its own rules.
  private static let leftoverWords = ["FIX" + "ME", "TO" + "DO", "X" + "XX", "fatalError(\"being " + "written\")"]
  private static let longestFileLines = 500

  private static func isSwift(_ file: SourceFile) -> Bool { file.pathExtension == "swift" }
  private static func isSource(_ file: SourceFile) -> Bool { isSwift(file) && file.module != nil }

  /// A word of a name in camel case, not a part of one: `Core` in `JobCore`, not in `Score`.
  private static func hasBannedWord(_ name: some StringProtocol) -> Bool {
    let words = ["Utilities", "Utility", "Helper", "Common", "Core", "Manager", "Placeholder"]
    guard words.contains(where: { name.contains($0) }) else { return false }
    return String(name).contains(/(?:Utilities|Utility|Helper|Helpers|Common|Core|Manager|Placeholder)(?![a-z])/)
  }

  static let bannedFileNames = StyleRule(
    description: "no file or folder is called Utilities, Helpers, Common, Core, Manager or Placeholder",
    applies: isSwift,
    violations: { file in
      let parts = file.path.split(separator: "/")
      guard let part = parts.first(where: { hasBannedWord($0) }) else { return [] }
      return [Violation(path: file.path, line: 1, message: "\(part) names no subject")]
    },
    mistake: SourceFile(path: "Sources/JobStore/StringHelpers.swift", text: ""))

  static let bannedTypeNames = StyleRule(
    description: "no type is called so either",
    applies: isSwift,
    violations: { file in
      file.codeLines.compactMap { number, code in
        guard hasBannedWord(code),
          let found = code.firstMatch(of: /(?:struct|class|enum|actor|protocol|typealias)\s+(\w+)/),
          hasBannedWord(found.output.1)
        else { return nil }
        return Violation(path: file.path, line: number, message: "\(found.output.1) names no subject")
      }
    },
    mistake: SourceFile(path: "Sources/JobStore/Lease.swift", text: "package final class Lease" + "Manager {}"))

  static let leftovers = StyleRule(
    description: "nothing is left to be done in a comment",
    applies: { _ in true },
    violations: { file in
      guard leftoverWords.contains(where: { file.text.contains($0) }) else { return [] }
      return file.lines.enumerated().compactMap { index, line in
        leftoverWords.contains { word in
          line.ranges(of: word).contains { range in
            // A word of its own: a template of mktemp is none.
            !(range.upperBound < line.endIndex && line[range.upperBound].isLetter)
              && !(range.lowerBound > line.startIndex && line[line.index(before: range.lowerBound)].isLetter)
          }
        } ? Violation(path: file.path, line: index + 1, message: "a leftover") : nil
      }
    },
    mistake: SourceFile(path: "Sources/JobStore/Lease.swift", text: "// \(leftoverWords[0]): renew it"))

  static let longFiles = StyleRule(
    description: "no Swift or Python file is longer than 500 lines",
    applies: { isSwift($0) || $0.pathExtension == "py" },
    violations: { file in
      file.lines.count > longestFileLines + 1
        ? [Violation(path: file.path, line: longestFileLines + 1, message: "\(file.lines.count) lines: split it")] : []
    },
    mistake: SourceFile(path: "Sources/JobStore/Lease.swift", text: String(repeating: "//\n", count: 501)))

  static let machinePaths = StyleRule(
    description: "no path of one machine is in any file",
    applies: { _ in true },
    violations: { file in
      file.lines.enumerated().compactMap { index, line in
        guard line.contains("/work") || line.contains("/root") || line.contains("/home") else { return nil }
        return line.contains(/(?:^|[^\w.$}\/*-])\/(?:work|root|home\/\w+)\//)
          ? Violation(path: file.path, line: index + 1, message: "a path of one machine") : nil
      }
    },
    mistake: SourceFile(path: "Sources/JobStore/Lease.swift", text: "let path = \"/" + "root/lease\""))

  static let queueSQL = StyleRule(
    // Tests and benchmarks look at the tables from outside: what they find must not come by the store that they judge.
    description: "only JobStore and the migrations have SQL about the queue's tables",
    applies: { file in
      guard let module = file.module else { return false }
      return !["JobStore", "Migrations", "TestSupport", "Benchmarks"].contains(module)
    },
    violations: { file in
      let message = "SQL about the queue belongs in Sources/JobStore/sql"
      return file.places(
        of: /\bsluice\.(?:job|lease|ready|later|blocked|edge|outcome|mark|live_key|dead|beat|lane|permit|job_state)\b/
          .wordBoundaryKind(.simple), with: "sluice.",
        message: message)
    },
    mistake: SourceFile(path: "Sources/Loading/sql/head.sql", text: "-- a header\nselect 1 from sluice.lease"))

  static let sqlHeaders = StyleRule(
    description: "every SQL file begins with a comment that says what it is for",
    applies: { $0.pathExtension == "sql" },
    violations: { file in
      let header = file.lines.prefix { $0.hasPrefix("--") }.filter { !$0.hasPrefix("--!") }
      return header.contains { $0.count > 10 }
        ? [] : [Violation(path: file.path, line: 1, message: "no header comment")]
    },
    mistake: SourceFile(path: "Sources/JobStore/sql/job_claim.sql", text: "--! compatible\nselect 1"))

  static let unexplained = StyleRule(
    description: "what the compiler does not check carries a comment",
    applies: isSource,
    violations: { file in
      let message = "say which invariant makes this safe"
      let places =
        file.places(of: /@unchecked Sendable/, with: "@unchecked", message: message)
        + file.places(of: /nonisolated\(unsafe\)/, with: "nonisolated", message: message)
        + file.places(of: /try!/, with: "try!", message: message)
      return places.filter { !file.hasReason(atLine: $0.line) }
    },
    mistake: SourceFile(path: "Sources/JobStore/Lease.swift", text: "final class Lease: @unchecked Sendable {}"))

  static let silentWrites = StyleRule(
    description: "a write whose failure is dropped says why",
    applies: isSource,
    violations: { file in
      let write =
        /try\?\s+(?:await\s+)?(?:[\w.]*\.)?(?:query|execute|put|write|insert|copyIn|checkpoint|complete|adopt|commit)/
      return file.places(of: write, with: "try?", message: "say why this may fail in silence, or let it be known")
        .filter { !file.hasReason(atLine: $0.line) }
    },
    mistake: SourceFile(path: "Sources/Loading/Head.swift", text: "_ = try? await session.query(sql, [])"))

  static let otherPrints = StyleRule(
    description: "the command line prints through Console, which lets no text command a terminal",
    applies: { isSource($0) && $0.module == "sluice" && !$0.path.hasSuffix("/Console.swift") },
    violations: { file in
      let other =
        /(?:^|[^.\w])(?:print|debugPrint|puts)\(|\bstd(?:out|err)\b|FileHandle\.standard|STD(?:OUT|ERR)_FILENO/
      return file.codeLines.compactMap { number, code in
        code.contains(other) ? Violation(path: file.path, line: number, message: "print through Console") : nil
      }
    },
    mistake: SourceFile(path: "Sources/sluice/Commands/JobsCommand.swift", text: "    print(job.label)"))
}
