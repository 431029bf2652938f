import DuckDB
import FoundationEssentials
import Testing

@Suite("Where DuckDB is found")
struct DuckDBLocationTests {
  private func program(_ path: String, _ magic: [UInt8] = [0x7F, 0x45, 0x4C, 0x46]) throws {
    let folder = path[..<(path.lastIndex(of: "/") ?? path.endIndex)]
    try FileManager.default.createDirectory(atPath: String(folder), withIntermediateDirectories: true)
    try Data(magic + [0, 0]).write(to: URL(filePath: path))
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
  }

  @Test("the environment's first, then the project's tools, then a program on PATH that is no script")
  func order() async throws {
    try await withScratch { _, place in
      let root = place.directory
      try program("\(root)/wrapper/duckdb", Array("#!/".utf8))
      try program("\(root)/bin/duckdb")
      let path = ["PATH": "\(root)/wrapper:\(root)/bin"]
      func locate(_ environment: [String: String]) throws -> String {
        try DuckDB.locate(
          environment: environment, executablePath: "\(root)/p/.build/release/sluice", projectDirectory: "\(root)/q"
        )
        .executable
      }
      #expect(try locate(path) == "\(root)/bin/duckdb")
      try program("\(root)/q/.tools/duckdb/duckdb")
      #expect(try locate(path) == "\(root)/q/.tools/duckdb/duckdb")
      try program("\(root)/p/.tools/duckdb/duckdb")
      #expect(try locate(path) == "\(root)/p/.tools/duckdb/duckdb")
      try program("\(root)/own")
      #expect(try locate(["SLUICE_DUCKDB": "\(root)/own"]) == "\(root)/own")
      let error = #expect(throws: DuckDBError.self) { try locate(["SLUICE_DUCKDB": "\(root)/wrapper/duckdb"]) }
      #expect(error?.kind == .missing)
      let none = #expect(throws: DuckDBError.self) {
        try DuckDB.locate(environment: ["PATH": "\(root)/wrapper"], executablePath: "/x/y", projectDirectory: root)
      }
      #expect(none?.hint?.contains("make setup") == true)
    }
  }
}
