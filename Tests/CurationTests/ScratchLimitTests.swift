import DuckDB
import FoundationEssentials
import JobModel
import PipelineDefinition
import Testing

@testable import Curation

@Suite("limits.temp")
struct ScratchLimitTests {
  /// What fills the scratch directory.
  enum Filling: CaseIterable {
    case splitDocument, rows, dataFiles

    var records: RecordFormat { self == .splitDocument ? .json(path: "$[*]") : .csv(CSVFormat()) }

    /// Some 2 MB.
    var text: String {
      let value = String(repeating: "x", count: 1_000)
      switch self {
      case .splitDocument:
        return "[" + (0..<2_000).map { "{\"id\":\($0),\"v\":\"\(value)\"}" }.joined(separator: ",") + "]"
      case .rows: return "id,v\n1,a\n" + (0..<2_000).map { "\($0),\"\(value)\r\ny\"\r\n" }.joined()
      case .dataFiles: return "id\n" + (0..<60_000).map { "\($0)\n" }.joined()
      }
    }

    /// Hashes cannot be compressed.
    var sql: String? { self == .dataFiles ? "select id, sha256(id) as h from orders" : nil }
  }

  @Test(
    "counts everything that an attempt writes to its scratch directory", arguments: Filling.allCases, [true, false])
  func counts(filling: Filling, isEnough: Bool) async throws {
    try await Workbench.with { standard in
      var limited = standard
      limited.limits.temporaryBytes = isEnough ? 100_000_000 : 1_000_000
      let bench = limited
      let request = try bench.request(
        step(), [input(stream(records: filling.records), try bench.objects([filling.text]))], sql: filling.sql)
      if isEnough {
        _ = try await bench.curate(request)
      } else {
        let error = await #expect(throws: StageFailure.self) { _ = try await bench.curate(request) }
        #expect(error?.code == "temp_limit" && error?.isTransient == false)
        #expect(error?.message.contains("more than 1 MB") == true)
        #expect(error?.hint?.contains("limits.temp") == true)
      }
    }
  }

  @Test("is looked at while a long step runs")
  func watched() async throws {
    try await Workbench.with { bench in
      let limit = ScratchLimit(directory: bench.directory, bytes: 1_000, dataset: "d")
      let fill: @Sendable () async throws -> Void = { [directory = bench.directory] in
        try FileManager.default.createDirectory(atPath: directory + "/out/0", withIntermediateDirectories: true)
        try Data(count: 1_001).write(to: URL(filePath: directory + "/out/0/a"))
        // Until it is given up.
        let (steps, more) = AsyncStream<Void>.makeStream()
        for await _ in steps {}
        more.finish()
      }
      let error = await #expect(throws: StageFailure.self) { try await limit.watching(fill) }
      #expect(error?.code == "temp_limit")
    }
  }
}
