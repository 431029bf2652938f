import FoundationEssentials
import Subprocess

/// One running DuckDB child: statements go in one after another, small results come out.
///
/// A statement that fails throws and changes nothing; the session goes on, unless the child itself ended: then every
/// further call throws that error again.
package actor DuckDBSession {
  private let writer: StandardInputWriter
  private var lines: LineReader
  private let limits: DuckDBLimits
  private let directory: String
  private let nonce: UInt64
  private let planFile: String?
  private var statements = 0
  private var failure: DuckDBError?
  private var constants: [String: [DuckDBRow]] = [:]

  /// A result is for decisions, not for data: rows beyond this mean a statement that should have been a COPY.
  static let maximumRows = 200_000

  init(
    writer: StandardInputWriter, output: SubprocessOutputSequence, limits: DuckDBLimits, directory: String,
    nonce: UInt64, planFile: String?
  ) {
    self.planFile = planFile
    self.nonce = nonce
    self.writer = writer
    lines = LineReader(output)
    self.limits = limits
    self.directory = directory
  }

  /// Runs the settings, whose last line is a command of the shell.
  func begin(_ settings: String) async throws { _ = try await answer(to: settings) }

  /// Runs one or more statements for their effect.
  ///
  /// - Throws: ``DuckDBError``.
  package func run(_ sql: String) async throws { _ = try await rows(sql) }

  /// Runs one statement for its effect and returns its plan; nil where the engine left none that can be read.
  ///
  /// - Throws: ``DuckDBError``.
  package func plan(of sql: String) async throws -> StatementPlan? {
    if let planFile { StatementPlan.remove(planFile) }
    try await run(sql)
    return planFile.flatMap(StatementPlan.read)
  }

  /// Runs one SELECT and returns its rows, at most 200,000.
  ///
  /// - Throws: ``DuckDBError``.
  @discardableResult
  package func rows(_ sql: String) async throws -> [DuckDBRow] {
    try ShellWall.check(sql)
    return try await answer(to: sql + "\n;")
  }

  /// The rows of a SELECT about the program itself, which are the same for as long as it runs: it is run once.
  ///
  /// - Throws: ``DuckDBError``.
  package func constantRows(_ sql: String) async throws -> [DuckDBRow] {
    if let known = constants[sql] { return known }
    let rows = try await rows(sql)
    constants[sql] = rows
    return rows
  }

  private func answer(to script: String) async throws -> [DuckDBRow] {
    if let failure { throw failure }
    statements += 1
    let marker = "@@sluice \(nonce) \(statements)"
    do {
      _ = try await writer.write(script + "\n.print \"\(marker)\"\n")
    } catch {
      // The child has ended; what it said is still in the pipe.
    }
    return try await readRows(until: marker)
  }

  /// The one value of a SELECT that returns one row with one column.
  package func value(_ sql: String) async throws -> DuckDBValue {
    try await rows(sql).first?.values.first ?? .null
  }

  /// Runs a SELECT and returns its rows with the names and types of its columns.
  package func table(_ sql: String) async throws -> DuckDBTable {
    DuckDBTable(columns: try await columns(of: sql), rows: try await rows(sql))
  }

  /// The columns of a SELECT, which is bound and not run.
  package func columns(of sql: String) async throws -> [DuckDBTable.Column] {
    try await rows("describe \(sql)").map { row in
      DuckDBTable.Column(name: row["column_name"]?.text ?? "", type: row["column_type"]?.text ?? "")
    }
  }

  private func readRows(until marker: String) async throws -> [DuckDBRow] {
    var rows: [DuckDBRow] = []
    var said: [String] = []
    let decoder = JSONDecoder()
    while let line = try await nextLine() {
      if line == marker {
        guard said.isEmpty else { throw error(said) }
        return rows
      }
      guard line.hasPrefix("{") else {
        // DuckDB repeats a value in its message, however long the value is.
        if !line.isEmpty, said.count < 100 { said.append(String(line.prefix(4_096))) }
        continue
      }
      guard rows.count < Self.maximumRows else {
        throw remember(DuckDBError(.unreadable, "a result has more than \(Self.maximumRows) rows"))
      }
      do {
        rows.append(try decoder.decode(DuckDBRow.self, from: Data(line.utf8)))
      } catch {
        throw remember(DuckDBError(.unreadable, "DuckDB returned a row that is not JSON", detail: line))
      }
    }
    throw remember(error(said))
  }

  private func error(_ said: [String]) -> DuckDBError {
    DuckDBError.parse(said.joined(separator: "\n"), limits: limits, directory: directory)
  }

  private func nextLine() async throws -> String? {
    var reader = lines
    defer { lines = reader }
    return try await reader.next(isolation: self)
  }

  private func remember(_ error: DuckDBError) -> DuckDBError {
    failure = error
    return error
  }
}

/// Splits the child's output into lines.
struct LineReader {
  private var iterator: SubprocessOutputSequence.AsyncIterator
  private var buffer: [UInt8] = []
  private var start = 0

  /// A result is for decisions: a longer row is a mistake, and would have to fit into this process.
  static let maximumLineBytes = 64_000_000

  init(_ output: SubprocessOutputSequence) { iterator = output.makeAsyncIterator() }

  mutating func next(isolation: isolated (any Actor)?) async throws -> String? {
    var searched = start
    while true {
      if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
        let line = String(decoding: buffer[start..<end], as: UTF8.self)
        start = end + 1
        return line
      }
      searched = buffer.count
      guard buffer.count - start <= Self.maximumLineBytes else {
        throw DuckDBError(
          .unreadable, "a row of the result has more than \(Self.maximumLineBytes) bytes", hint: "ask for less of it")
      }
      guard let chunk = try await iterator.next(isolation: isolation) else {
        guard start < buffer.count else { return nil }
        let line = String(decoding: buffer[start...], as: UTF8.self)
        start = buffer.count
        return line
      }
      if start > 0 {
        buffer.removeFirst(start)
        searched -= start
        start = 0
      }
      chunk.withUnsafeBytes { buffer.append(contentsOf: $0) }
    }
  }
}
