import FoundationEssentials
import Records
import Testing

@Suite("A file of rows")
struct RowFileTests {
  private static func with<T>(_ text: String, _ body: (RowFile, _ target: String) throws -> T) throws -> T {
    let directory = FileManager.default.temporaryDirectory.path + "/sluice-rows-\(UUID())"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try Data(text.utf8).write(to: URL(filePath: directory + "/rows"))
    return try body(RowFile(directory + "/rows"), directory + "/taken")
  }

  private static func row(_ object: Int, _ position: Int, _ value: String = "v") -> String {
    "\(object)\u{1f}\(position)\u{1f}\(value)\n"
  }

  private static func taken(_ places: [(Int64, Int64)], before: Int = 0, of text: String) throws -> String {
    try with(text) { file, target in
      let places = places.map { RowFile.Place(object: $0.0, position: $0.1) }
      let count = try file.take(places, before: before, to: target)
      let taken = try String(contentsOf: URL(filePath: target), encoding: .utf8)
      #expect(count == taken.split(separator: "\n", omittingEmptySubsequences: true).count)
      return taken
    }
  }

  @Test("gives the rows at some places, of objects in any order, at its edges, of one that is longer than a block")
  func take() throws {
    let long = String(repeating: "x", count: 9_000_000)
    let text =
      (1...5).map { Self.row(7, $0) }.joined() + Self.row(3, 1, long) + Self.row(3, 2) + "9\u{1f}4\n"
      + Self.row(30, 1, "7\u{1f}2")
    #expect(
      try Self.taken([(7, 1), (7, 5), (30, 1)], of: text) == Self.row(7, 1) + Self.row(7, 5)
        + Self.row(30, 1, "7\u{1f}2"))
    #expect(try Self.taken([(3, 1), (7, 2)], of: text) == Self.row(7, 2) + Self.row(3, 1, long))
    #expect(try Self.taken([(3, 2), (9, 4)], of: text) == Self.row(3, 2) + "9\u{1f}4\n")
    #expect(try Self.taken([(1, 1), (3, 3), (7, 6), (31, 1)], of: text) == "")
    #expect(try Self.taken([], of: text) == "")
    #expect(try Self.taken([(7, 103), (7, 104)], before: 100, of: text) == Self.row(7, 3) + Self.row(7, 4))
    let all = (1...5).map { (Int64(7), Int64($0)) }
    #expect(
      try Self.taken(all, of: (1...5).map { Self.row(7, $0) }.joined()) == (1...5).map { Self.row(7, $0) }.joined())
    #expect(try Self.taken([(7, 1)], of: "") == "")
  }

  @Test("gives about as many rows as a sample is to have, whole ones, none twice, from its beginning to its end")
  func sample() throws {
    let lengths = [1, 3, 5_000, 0, 40]
    let rows = (0..<3_000).map { Self.row(1, $0, String(repeating: "y", count: lengths[$0 % 5])) }
    for count in [1, 10, 400] {
      try Self.with(rows.joined()) { file, target in
        let found = try file.sample(count, to: target)
        let sample = try String(contentsOf: URL(filePath: target), encoding: .utf8).split(separator: "\n").map {
          $0 + "\n"
        }
        #expect(sample.count == found && found <= count && found > count / 3)
        #expect(Set(sample).count == found && Set(sample.map(String.init)).isSubset(of: Set(rows)))
        #expect(sample.first.map(String.init) == rows[0])
      }
    }
    for rows in [0, 1] {
      let found = try Self.with(String(repeating: Self.row(1, 1), count: rows)) { try $0.sample(5, to: $1) }
      #expect(found == rows)
    }
  }

  @Test("is told which places are wanted by a list of numbers")
  func places() throws {
    try Self.with("1,2\n9223372036854775807,1099511627775\n") { file, _ in
      let places = try RowFile.places(in: file.path)
      #expect(
        places == [
          RowFile.Place(object: 1, position: 2), RowFile.Place(object: .max, position: 1_099_511_627_775),
        ])
    }
    for text in ["1\n", "1,2,3\n", "1,x\n", "object,position\n"] {
      try Self.with(text) { file, _ in
        _ = #expect(throws: RecordError.self) { try RowFile.places(in: file.path) }
      }
    }
    #expect(throws: RecordError.self) { try RowFile.places(in: "/nowhere/at/all") }
  }
}
