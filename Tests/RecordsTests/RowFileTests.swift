import FoundationEssentials
import Records
import Testing

@Suite("A file of rows")
struct RowFileTests {
  private static func inDirectory<T>(_ body: (_ directory: String) throws -> T) throws -> T {
    let directory = FileManager.default.temporaryDirectory.path + "/sluice-rows-\(UUID())"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    return try body(directory)
  }

  /// What a reader makes of objects of JSON lines, by their numbers.
  private static func read(
    _ objects: [(number: Int, lines: [String])], in directory: String, limits: RowFile.Limits = RowFile.Limits(),
    sampleDistance: Int? = nil
  ) throws -> ReadRecords {
    var reading = RecordReading(format: .lines, maximumRecordBytes: 64_000_000, keepsRecords: false) { !$0.isEmpty }
    reading.limits = limits
    reading.sampleDistance = sampleDistance ?? 1
    let reader = try RecordReader(
      reading, rows: directory + "/rows", rejects: directory + "/rejects",
      sample: sampleDistance.map { _ in directory + "/sample" }, isCancelled: { false })
    for object in objects {
      let path = directory + "/object"
      try Data(object.lines.joined(separator: "\n").utf8).write(to: URL(filePath: path))
      try reader.read(path, part: object.number)
    }
    return try reader.finish()
  }

  /// `object position text,text`; `-` for a missing one.
  private static func shown(_ file: RowFile) throws -> [String] {
    var rows: [String] = []
    try file.read { numbers, texts in
      let list = texts.map { $0.map { String(decoding: $0, as: UTF8.self) } ?? "-" }
      rows.append("\(numbers[0]) \(numbers[1]) \(list.joined(separator: ","))")
    }
    #expect(rows.count == file.count)
    return rows
  }

  private static func limits(
    rows: Int, bytes: Int = 4_000_000, pages: Int = 65_536, groups: Int = 100
  ) -> RowFile.Limits {
    var limits = RowFile.Limits()
    (limits.rowsPerGroup, limits.bytesPerGroup, limits.bytesPerPage, limits.pagesPerFile) = (rows, bytes, 1, pages)
    limits.groupsPerFile = groups
    return limits
  }

  static let allLimits = [
    limits(rows: 1), limits(rows: 3), limits(rows: 8, pages: 10), limits(rows: 9, bytes: 30, pages: 1),
    limits(rows: 2, groups: 5),
    RowFile.Limits(),
  ]

  @Test("has every row once, with what is missing, whatever its groups and files", arguments: allLimits)
  func rows(_ limits: RowFile.Limits) throws {
    try Self.inDirectory { directory in
      let lines = (1...40).map { row in
        row % 7 == 0
          ? "{}" : row < 20 ? #"{"a":"\#(row)"}"# : #"{"b":\#(row % 2 == 0 ? "null" : "\"\""),"a":"x\#(row)"}"#
      }
      let expected = (1...40).map { row in
        let a = row % 7 == 0 ? "-" : row < 20 ? "\(row)" : "x\(row)"
        return "5 \(row) \(a),\(row % 7 == 0 || row < 20 || row % 2 == 0 ? "-" : "")"
      }
      let read = try Self.read([(5, lines)], in: directory, limits: limits)
      #expect(try Self.shown(read.rows) == expected)
      #expect(read.fields == ["a", "b"] && read.rows.paths.count == Set(read.rows.paths).count)
      #expect((read.rows.paths.count > 1) == (limits.pagesPerFile < 100 || limits.groupsPerFile < 20))
      let none = try Self.read([(1, [])], in: directory, limits: limits)
      #expect(none.rows.count == 0 && none.rejects.count == 0)
      #expect(try Self.shown(none.rows) == [])
    }
  }

  @Test("gives the rows at some places, of objects in any order, at its edges, with a long one", arguments: allLimits)
  func take(_ limits: RowFile.Limits) throws {
    try Self.inDirectory { directory in
      let long = String(repeating: "x", count: 1_000_000)
      let objects: [(number: Int, lines: [String])] = [
        (7, (1...5).map { #"{"v":"v\#($0)"}"# }), (3, [#"{"v":"\#(long)"}"#, #"{"w":"w"}"#]), (9, ["{}"]),
        (30, [#"{"v":"7"}"#]),
      ]
      let file = try Self.read(objects, in: directory, limits: limits).rows
      func taken(_ places: [(Int64, Int64)], before: Int = 0) throws -> [String] {
        let places = places.map { RowFile.Place(object: $0.0, position: $0.1) }
        return try Self.shown(try file.take(places, before: before, to: directory + "/taken"))
      }
      #expect(try taken([(7, 1), (7, 5), (30, 1)]) == ["7 1 v1,-", "7 5 v5,-", "30 1 7,-"])
      #expect(try taken([(3, 1), (7, 2)]) == ["7 2 v2,-", "3 1 \(long),-"])
      #expect(try taken([(3, 2), (9, 1)]) == ["3 2 -,w", "9 1 -,-"])
      #expect(try taken([(1, 1), (3, 3), (7, 6), (31, 1)]) == [])
      #expect(try taken([]) == [])
      #expect(try taken([(7, 103), (7, 104)], before: 100) == ["7 3 v3,-", "7 4 v4,-"])
      #expect(try taken((1...5).map { (7, $0) }) == (1...5).map { "7 \($0) v\($0),-" })
    }
  }

  @Test("has about as many rows in a sample as are wanted, none twice, from the first on to the end")
  func sample() throws {
    let lengths = [1, 3, 5_000, 0, 40]
    let lines = (0..<3_000).map { #"{"v":"\#(String(repeating: "y", count: lengths[$0 % 5]))"}"# }
    let bytes = lines.reduce(0) { $0 + $1.utf8.count + 1 }
    for count in [1, 10, 400] {
      try Self.inDirectory { directory in
        let read = try Self.read([(1, lines)], in: directory, sampleDistance: bytes / count)
        let sample = try Self.shown(try #require(read.sample))
        #expect(sample.count <= count + 1 && sample.count > count / 3)
        let rows = Set(try Self.shown(read.rows))
        #expect(Set(sample).count == sample.count && rows.isSuperset(of: sample))
        #expect(sample.first == "1 1 y")
        let last = sample.last?.split(separator: " ")[1]
        #expect(count < 10 || last.flatMap { Int($0) }.map { $0 > 2_000 } == true)
      }
    }
  }

  @Test("is told which places are wanted by a list of numbers")
  func places() throws {
    try Self.inDirectory { directory in
      let path = directory + "/places"
      func places(_ text: String) throws -> [RowFile.Place] {
        try Data(text.utf8).write(to: URL(filePath: path))
        return try RowFile.places(in: path)
      }
      let large: Int64 = 1_099_511_627_775
      #expect(
        try places("1,2\n9223372036854775807,\(large)\n") == [
          RowFile.Place(object: 1, position: 2), RowFile.Place(object: .max, position: large),
        ])
      let many = try places((1...130_000).map { "3,\($0)\n" }.joined())
      #expect(many.count == 130_000)
      for text in ["1\n", "1,2,3\n", "1,x\n", "object,position\n"] {
        let error = #expect(throws: RecordError.self) { _ = try places(text) }
        #expect(error?.kind == .unreadable)
      }
      let error = #expect(throws: RecordError.self) { _ = try RowFile.places(in: "/nowhere/at/all") }
      #expect(error?.kind == .unreadable)
    }
  }
}
