import Curation
import DuckDB
import FoundationEssentials
import JobModel
import PipelineDefinition
import Testing

/// Names, values, paths and statements of a hostile source, drawn from a seed.
///
/// `SLUICE_FUZZ_SECONDS` says for how long (2), `SLUICE_TEST_SEED` repeats one.
@Suite("Fuzz: what a source may write")
struct HostileTextTests {
  private static let environment = ProcessInfo.processInfo.environment
  private static let seconds = environment["SLUICE_FUZZ_SECONDS"].flatMap(Int.init) ?? 2

  @Test("never runs, and comes out as it went in", .timeLimit(.minutes(90)))
  func fuzz() async throws {
    let seed = Self.environment["SLUICE_TEST_SEED"].flatMap(UInt64.init) ?? UInt64.random(in: 1...999_999)
    print("fuzz of hostile text: seed \(seed), \(Self.seconds) s")
    var source = HostileText(seed: seed)
    let clock = ContinuousClock()
    let deadline = clock.now + .seconds(Self.seconds)
    var rounds = 0
    repeat {
      try await round(&source, "seed \(seed), round \(rounds)")
      rounds += 1
    } while clock.now < deadline
    print("fuzz of hostile text: \(rounds) rounds")
  }

  private func round(_ source: inout HostileText, _ label: String) async throws {
    try await Workbench.with { bench in
      source.canary = bench.directory + "/PWNED"
      try await json(&source, bench, label)
      try await csv(&source, bench, label)
      try await statements(&source, bench, label)
      let found = try FileManager.default.subpathsOfDirectory(atPath: bench.directory).filter {
        $0.utf8.split(separator: UInt8(ascii: "/")).last.map(Array.init) == Array("PWNED".utf8)
      }
      #expect(found.isEmpty, "\(label): \(found)")
      #expect(!FileManager.default.fileExists(atPath: "PWNED"), "\(label)")
    }
  }

  /// Records with hostile names and values; a value is the partition too.
  private func json(_ source: inout HostileText, _ bench: Workbench, _ label: String) async throws {
    // A record with a NUL in a name is a bad one.
    let names = source.names(3).filter { !["id", "part"].contains($0.lowercased()) && !$0.utf8.contains(0) }
    var lines: [String] = []
    var expected: [String: [String: String]] = [:]
    for id in 1...4 {
      var fields = Dictionary(names.map { ($0, source.text()) }) { first, _ in first }
      fields["id"] = "\(id)"
      fields["part"] = source.text()
      expected["\(id)"] = fields
      lines.append(String(decoding: try JSONEncoder().encode(fields), as: UTF8.self))
    }
    let definition = step(partitionBy: [Partition(transform: .value, column: "part")])
    let raw = try bench.objects([lines.joined(separator: "\n")])
    let result = try await bench.curate(try bench.request(definition, [input(stream(records: .ndjson), raw)]))
    #expect(result.counts.all == [4, 4, 0, 0, 0], "\(label): \(lines)")
    let rows = try await bench.ask(result, "select * exclude (_object, _position) from data")
    for row in rows {
      let fields = try #require(expected[row["id"]?.text ?? ""])
      for (name, value) in fields where name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) && !isReserved(name) {
        guard let found = row.first(where: { Array($0.key.utf8) == Array(name.utf8) }) else {
          // Of names that differ in case only, the later ones have a number.
          #expect(fields.keys.count { $0.lowercased() == name.lowercased() } > 1, "\(label): \(name.debugDescription)")
          continue
        }
        #expect(found.value.text.map { Array($0.utf8) } == Array(value.utf8), "\(label): \(name.debugDescription)")
      }
    }
  }

  private func isReserved(_ name: String) -> Bool {
    let own = ["_object", "_position", "_run", "_run_at", "_record", "_cursor"]
    return (own + ["_row", "_reasons", "_original", "_new", "_snapshot"]).contains(name.lowercased())
      || name.lowercased().hasPrefix("_sluice_")
      || name.utf8.count > 63 || name.isEmpty
  }

  /// A file with a hostile header, hostile values and a hostile path.
  private func csv(_ source: inout HostileText, _ bench: Workbench, _ label: String) async throws {
    // Scalar by scalar: a quote with a combining mark is a quote for a CSV reader.
    func field(_ text: String) -> String {
      var result = String.UnicodeScalarView()
      for scalar in text.unicodeScalars {
        if scalar == "\"" { result.append(scalar) }
        result.append(scalar)
      }
      return "\"\(String(result))\""
    }
    func isLine(_ text: String) -> Bool { !text.utf8.contains { $0 == 10 || $0 == 13 } }
    let names = source.names(2).filter(isLine)
    let values = (0..<3).map { _ in (0...names.count).map { _ in source.text() }.map { isLine($0) ? $0 : "plain" } }
    let text = ([["id"] + names] + values).map { $0.map(field).joined(separator: ",") }.joined(separator: "\n") + "\n"
    var object = try bench.objects([text])[0]
    let folder = bench.directory + "/" + source.pathComponent()
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let path = folder + "/" + source.pathComponent()
    try Data(text.utf8).write(to: URL(filePath: path))
    object.path = path
    object.name = source.text()
    let result = try await bench.curate(try bench.request(step(), [input(stream(), [object])]))
    #expect(result.counts.rowsIn == 3, "\(label): \(text.debugDescription)")
    #expect(result.counts.all.dropFirst().compactMap { $0 }.reduce(0, +) == 3, "\(label)")
    let rows = try await bench.ask(result, "select * from data order by _position")
    for (row, wanted) in zip(rows, values) {
      #expect(row["id"]?.text ?? "" == wanted[0] || result.counts.rowsOut < 3, "\(label)")
    }
  }

  /// Somebody else's SQL: it is refused or it is one SELECT, and nothing else happens.
  private func statements(_ source: inout HostileText, _ bench: Workbench, _ label: String) async throws {
    let lint = CurationLint(duckdb: bench.duckdb, scratch: bench.directory)
    let texts = (0..<4).map { _ in source.statement() }
    _ = try await lint.check(checks: texts, of: "orders")
    for text in texts {
      let query = ConfinedQuery(
        duckdb: bench.duckdb, place: DuckDBPlace(directory: bench.directory),
        duckDBLimits: DuckDBLimits(memoryBytes: 256_000_000, threads: 1, time: .seconds(20)))
      do {
        try await query.run(
          text, over: [.init(name: "orders", select: "select 1 as id")], begin: { _ in }, take: { _ in })
      } catch is SelectProblem {
      } catch let error as DuckDBError where [.sql, .memoryLimit, .timeLimit].contains(error.kind) {}
    }
  }
}

@Suite("A hostile header")
struct HostileHeaderTests {
  @Test("is taken apart as DuckDB reads it, scalar by scalar")
  func combiningMarks() async throws {
    try await Workbench.with { bench in
      let text = "\"id\",\"a\"\"\u{301},b\",\u{301}c\n1,x,y\n2,\"\"\"\u{301}\",z\n"
      let result = try await bench.curate(try bench.request(step(), [input(stream(), try bench.objects([text]))]))
      #expect(result.counts.all == [2, 2, 0, 0, 0])
      #expect(
        result.columns.prefix(3).map { Array($0.name.utf8) }
          == ["id", "a\"\u{301},b", "\u{301}c"].map { Array($0.utf8) })
    }
  }
}
