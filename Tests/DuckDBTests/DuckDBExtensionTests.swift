import DuckDB
import FoundationEssentials
import Glibc
import Testing

@Suite("The extensions of a child")
struct DuckDBExtensionTests {
  @Test("a file that only the program's owner can change is loaded as it is; any other has to carry its signature")
  func signature() async throws {
    try await withScratch { duckdb, place in
      var place = place
      place.extensions = ["postgres_scanner"]
      let given = try #require(duckdb.extensionDirectory)
      let root = place.directory + "/extensions"
      try FileManager.default.copyItem(atPath: given, toPath: root)
      func only(in path: String) throws -> String {
        path + "/" + (try #require(FileManager.default.contentsOfDirectory(atPath: root + path).first))
      }
      let folder = try only(in: "")
      let platform = try only(in: folder)
      let file = try only(in: platform)
      // The last 256 bytes are the signature.
      let handle = try #require(fopen(root + file, "r+"))
      fseek(handle, -16, SEEK_END)
      fwrite([UInt8](repeating: 0xAA, count: 16), 1, 16, handle)
      fclose(handle)

      let copy = DuckDB(executable: try copied(duckdb.executable, place), extensionDirectory: root)
      func change(_ path: String, _ permissions: Int) throws {
        try FileManager.default.setAttributes([.posixPermissions: permissions], ofItemAtPath: root + path)
      }
      func load() async throws { try await copy.run("select 1", in: place, limits: DuckDBLimits()) }

      try change("", 0o755)
      try change(folder, 0o755)
      try change(platform, 0o755)
      try change(file, 0o644)
      try await load()
      for (path, permissions) in [(file, 0o664), (folder, 0o777), ("", 0o775)] {
        try change(path, permissions)
        let error = await #expect(throws: DuckDBError.self) { try await load() }
        #expect(error?.detail.contains("signature") == true)
        try change(path, path == file ? 0o644 : 0o755)
      }
      try await load()
    }
  }

  /// A program of the same owner as the copied extensions.
  private func copied(_ program: String, _ place: DuckDBPlace) throws -> String {
    let copy = place.directory + "/duckdb"
    try FileManager.default.copyItem(atPath: program, toPath: copy)
    return copy
  }
}
