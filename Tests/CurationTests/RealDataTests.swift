import Curation
import DuckDB
import FoundationEssentials
import PipelineDefinition
import Subprocess
import Testing

/// Every published version of real files, where they are at hand: beside the checkout.
@Suite("Real data")
struct RealDataTests {
  static let folder: String? = {
    let here = FileManager.default.currentDirectoryPath
    return ["\(here)/../shared/data", "\(here)/shared/data"].first {
      FileManager.default.fileExists(atPath: "\($0)/airports-history.tar.zst")
    } ?? ProcessInfo.processInfo.environment["SLUICE_SHARED_DATA"]
  }()

  private func unpack(_ archive: String, in bench: Workbench) async throws -> [String] {
    let target = "\(bench.directory)/\(archive)"
    try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: true)
    let result = try await Subprocess.run(
      .name("tar"), arguments: ["--zstd", "-xf", "\(Self.folder ?? "")/\(archive).tar.zst", "-C", target],
      output: .discarded, error: .discarded)
    #expect(result.terminationStatus.isSuccess)
    let names = try FileManager.default.subpathsOfDirectory(atPath: target).filter { $0.hasSuffix(".dat") }
    return names.sorted().map { "\(target)/\($0)" }
  }

  /// The fields of one line, read independently of DuckDB; nil for a line that is not well-formed.
  private func fields(of line: ArraySlice<UInt8>) -> [String?]? {
    let (quote, escape, comma) = (UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: ","))
    var fields: [String?] = []
    var rest = line
    while true {
      var field: [UInt8] = []
      if rest.first == quote {
        rest = rest.dropFirst()
        while let next = rest.first, next != quote {
          let after = rest.dropFirst().first
          if next == escape, after == quote || after == escape { rest = rest.dropFirst() }
          guard let taken = rest.popFirst() else { return nil }
          field.append(taken)
        }
        guard rest.popFirst() == quote else { return nil }
      } else {
        while let next = rest.first, next != comma {
          field.append(next)
          rest = rest.dropFirst()
        }
      }
      let text = String(decoding: field, as: UTF8.self)
      fields.append(text == "\\N" ? nil : text)
      guard let end = rest.popFirst() else { return fields }
      guard end == comma else { return nil }
    }
  }

  @Test(
    "every version of the airports, from 10 to 14 columns, is read row for row as an independent reader reads it",
    .enabled(if: folder != nil, "skipped: shared/data is not beside the checkout"))
  func airports() async throws {
    try await Workbench.with { bench in
      let names = ["id", "name", "city", "country", "iata", "icao", "latitude", "longitude", "altitude", "timezone"]
      let definition = stream(
        records: .csv(CSVFormat(header: false, escape: "\\", null: "\\N")),
        columns: names.map { StreamColumn(name: $0) })
      let versions = try await unpack("airports-history", in: bench)
      #expect(versions.count == 21)
      for (index, path) in versions.enumerated() {
        let object = CurationObject(
          id: Int64(index + 1), path: path, name: path, run: Int64(index + 1), runAt: "2024-01-01", sequence: 0)
        let result = try await bench.curate(try bench.request(step(), [input(definition, [object])]))
        let bytes = Array(try #require(FileManager.default.contents(atPath: path)))
        let lines = bytes.split { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
        let expected = lines.compactMap { fields(of: $0) }
        #expect(result.counts.all == [lines.count, expected.count, 0, 0, lines.count - expected.count], "\(path)")
        let width = expected.map(\.count).max() ?? 0
        #expect(result.events.count == max(0, width - names.count), "\(path)")
        let seen = try await bench.table(
          result, "select id a, name b, city c, iata d, timezone e from data order by _position")
        let wanted = expected.map { [$0[0], $0[1], $0[2], $0[4], $0[9]] }
        #expect(seen == wanted, "\(path)")
      }
    }
  }
}
