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
  private var statements = 0
  private var failure: DuckDBError?

  /// A result is for decisions, not for data: rows beyond this mean a statement that should have been a COPY.
  static let maximumRows = 200_000

  init(writer: StandardInputWriter, output: SubprocessOutputSequence, limits: DuckDBLimits, directory: String) {
    self.writer = writer
    lines = LineReader(output)
    self.limits = limits
    self.directory = directory
  }

  /// Runs one or more statements for their effect.
  ///
  /// - Throws: ``DuckDBError``.
  package func run(_ sql: String) async throws { _ = try await rows(sql) }

  /// Runs one SELECT and returns its rows, at most 200,000.
  ///
  /// - Throws: ``DuckDBError``.
  @discardableResult
  package func rows(_ sql: String) async throws -> [DuckDBRow] {
    if let failure { throw failure }
    statements += 1
    let marker = "@@sluice \(statements)"
    do {
      _ = try await writer.write(sql + "\n;\n.print \"\(marker)\"\n")
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
        if !line.isEmpty { said.append(line) }
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
