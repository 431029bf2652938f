import FoundationEssentials
import Records
import Testing

/// Numbers that are the same for a seed, everywhere.
private struct Draw {
  private var state: UInt64
  init(seed: UInt64) { state = seed &+ 0x9E37_79B9_7F4A_7C15 }
  mutating func below(_ bound: Int) -> Int {
    state ^= state >> 12
    state ^= state << 25
    state ^= state >> 27
    return Int((state &* 0x2545_F491_4F6C_DD1D) >> 33) % bound
  }
  mutating func one<T>(of list: [T]) -> T { list[below(list.count)] }
}

/// Files that were written well and then damaged, or with values that are known.
///
/// `SLUICE_FUZZ_SECONDS` says for how long (1), `SLUICE_TEST_SEED` repeats one.
@Suite("Fuzz: files of records")
struct ReaderFuzzTests {
  private static let environment = ProcessInfo.processInfo.environment
  private static let seconds = environment["SLUICE_FUZZ_SECONDS"].flatMap(Int.init) ?? 1

  private func repeating(_ name: String, _ round: (inout Draw, String) throws -> Void) async rethrows {
    let seed = Self.environment["SLUICE_TEST_SEED"].flatMap(UInt64.init) ?? UInt64.random(in: 1...999_999)
    print("fuzz of \(name): seed \(seed), \(Self.seconds) s")
    var draw = Draw(seed: seed)
    let deadline = ContinuousClock().now + .seconds(Self.seconds)
    var rounds = 0
    repeat {
      try round(&draw, "seed \(seed), round \(rounds)")
      rounds += 1
      // Other suites run on the same threads.
      await Task.yield()
    } while ContinuousClock().now < deadline
    print("fuzz of \(name): \(rounds) rounds")
  }

  private static let pieces: [[UInt8]] =
    [
      "a", "é", "\u{301}", "😀", "\"", "\"\"", ",", "\n", "\r\n", "\r", "\\", "\\\"", " ", "", "0", "\u{1F}", "\u{1}n",
      "\u{2}",
      "\u{FEFF}", "\0",
    ].map { Array($0.utf8) } + [[0xFF], [0xC3]]

  @Test(
    "CSV is read as by a reader that has the whole file at hand, and every record is counted", .timeLimit(.minutes(90)))
  func csv() async throws {
    try await repeating("CSV") { draw, label in
      let escape: UInt8? = draw.below(3) == 0 ? UInt8(ascii: "\\") : nil
      var bytes = Array("h1,h2\n".utf8)
      let body = bytes.count
      for _ in 0..<draw.below(6) {
        for _ in 0..<draw.below(8) { bytes += draw.one(of: Self.pieces) }
        bytes += draw.one(of: [[0x0A], [0x0D, 0x0A], [0x2C], [0x22]])
      }
      let reference = Reference(escape: escape).read(Array(bytes[body...]))
      let csv = RecordReading.CSVReading.standard(escape: escape.map { String(Unicode.Scalar($0)) })
      for block in [8, 13, 1 << 20] {
        let output = try readRecords(bytes, .csv(csv), block: block)
        #expect(output.rows == reference.rows, "\(label), block \(block): \(bytes)")
        #expect(output.bad == reference.bad, "\(label), block \(block): \(bytes)")
      }
      let division = 1 + draw.below(bytes.count)
      let whole = try readRecords(bytes, .csv(csv))
      let divided = try readRecords(bytes, .csv(csv), block: 16, division: division)
      #expect(divided == whole, "\(label), divided at \(division): \(bytes)")
    }
  }

  @Test("JSON is read the same whatever the size of a block, and every line is counted", .timeLimit(.minutes(90)))
  func json() async throws {
    let marks = [
      "{", "}", "[", "]", ":", ",", "\"", "\\", "\\u0000", "\\ud83d", "\\ude00", "null", "tru", "1", "-", ".5", "e9",
      " ", "\n",
    ]
    try await repeating("JSON") { draw, label in
      var bytes: [UInt8] = []
      var expected: [[String: String]] = []
      for index in 0..<(1 + draw.below(5)) {
        let (text, fields) = Self.record(&draw, index)
        bytes += Array(text.utf8) + [0x0A]
        expected.append(fields)
      }
      #expect(try readRecords(bytes, .lines, block: 64).rows == expected, "\(label): \(bytes)")
      for _ in 0..<(1 + draw.below(3)) {
        let place = draw.below(bytes.count)
        switch draw.below(3) {
        case 0: bytes.remove(at: place)
        case 1: bytes.insert(contentsOf: draw.one(of: Self.pieces), at: place)
        default: bytes.insert(contentsOf: Array(draw.one(of: marks).utf8), at: place)
        }
        if bytes.isEmpty { return }
      }
      let whole = try readRecords(bytes, .lines)
      for block in [8, 21] {
        #expect(try readRecords(bytes, .lines, block: block) == whole, "\(label), block \(block): \(bytes)")
      }
      let division = 1 + draw.below(bytes.count)
      let divided = try readRecords(bytes, .lines, block: 16, division: division)
      #expect(divided == whole, "\(label), divided at \(division): \(bytes)")
      // The mark at the file's begin is none of the first line's.
      let text = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes.dropFirst(3)) : bytes
      let lines = text.split(separator: 0x0A).filter { !$0.allSatisfy { [0x20, 0x09, 0x0D].contains($0) } }
      #expect(whole.good + whole.bad == lines.count, "\(label): \(bytes)")
    }
  }

  /// A record with known values, written in one of the ways that JSON allows.
  private static func record(_ draw: inout Draw, _ index: Int) -> (String, [String: String]) {
    var fields: [(String, String)] = []
    var values: [String: String] = ["id": "\(index)"]
    fields.append(("\"id\"", "\(index)"))
    for number in 0..<draw.below(5) {
      let name = "f\(number)"
      switch draw.below(4) {
      case 0:
        let digits = (0..<(1 + draw.below(30))).map { _ in String(draw.below(10)) }.joined()
        let text =
          (draw.below(2) == 0 ? "-" : "") + "1" + digits + (draw.below(2) == 0 ? "." + digits : "")
          + (draw.below(3) == 0 ? "e-\(draw.below(400))" : "")
        fields.append(("\"\(name)\"", text))
        values[name] = text
      case 1:
        fields.append(("\"\(name)\"", "null"))
      case 2:
        fields.append(("\"\(name)\"", "[ 1.50 , {\"a\" : \"x y\" } ]"))
        values[name] = #"[1.50,{"a":"x y"}]"#
      default:
        let scalars = (0..<draw.below(12)).map { _ in
          draw.one(of: Array("aé\u{301}😀\"\\\n\t\u{1F}\u{1}\u{2}/".unicodeScalars))
        }
        fields.append(("\"\(name)\"", "\"" + scalars.map { written($0, &draw) }.joined() + "\""))
        values[name] = String(String.UnicodeScalarView(scalars))
      }
    }
    let space = draw.one(of: ["", " ", "\t"])
    return ("{" + fields.map { "\(space)\($0.0)\(space):\(space)\($0.1)" }.joined(separator: ",") + "\(space)}", values)
  }

  private static func written(_ scalar: Unicode.Scalar, _ draw: inout Draw) -> String {
    func unit(_ value: UInt16) -> String {
      let digits = String(value, radix: 16)
      return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    }
    let mustEscape = scalar.value < 0x20 || scalar == "\"" || scalar == "\\"
    return mustEscape || draw.below(3) == 0 ? String(scalar).utf16.map(unit).joined() : String(scalar)
  }
}

/// The rules of CSV, written for a whole file: slow, and short.
private struct Reference {
  let escape: UInt8?
  private let quote = UInt8(ascii: "\"")

  func read(_ bytes: [UInt8]) -> (rows: [[String: String]], bad: Int) {
    var rows: [[String: String]] = []
    var bad = 0
    var at = 0
    while at < bytes.count {
      let (fields, end) = row(bytes, at)
      let next = afterLine(bytes, end)
      let text = bytes[at..<end]
      at = next
      if let fields {
        if fields.count == 1, text.isEmpty { continue }
        guard fields.count == 2, String(validating: text, as: UTF8.self) != nil else {
          bad += 1
          continue
        }
        var row: [String: String] = [:]
        for (name, value) in zip(["h1", "h2"], fields) { row[name] = value.map { String(decoding: $0, as: UTF8.self) } }
        rows.append(row)
      } else {
        bad += 1
      }
    }
    return (rows, bad)
  }

  /// The fields, nil where the row is none, and where its line ends.
  private func row(_ bytes: [UInt8], _ start: Int) -> ([[UInt8]?]?, Int) {
    var fields: [[UInt8]?] = []
    var at = start
    while true {
      var value: [UInt8] = []
      if at < bytes.count, bytes[at] == quote {
        let begin = at
        at += 1
        while true {
          guard at < bytes.count else { return (nil, lineEnd(bytes, begin)) }
          let next = at + 1 < bytes.count ? bytes[at + 1] : nil
          if let escape, bytes[at] == escape, next == quote || next == escape {
            value.append(next ?? 0)
            at += 2
          } else if escape == nil, bytes[at] == quote, next == quote {
            value.append(quote)
            at += 2
          } else if bytes[at] == quote {
            at += 1
            break
          } else {
            value.append(bytes[at])
            at += 1
          }
        }
        fields.append(value)
        if at < bytes.count, ![0x0A, 0x0D, UInt8(ascii: ",")].contains(bytes[at]) { return (nil, lineEnd(bytes, at)) }
      } else {
        while at < bytes.count, ![0x0A, 0x0D, UInt8(ascii: ",")].contains(bytes[at]) {
          value.append(bytes[at])
          at += 1
        }
        fields.append(value.isEmpty ? nil : value)
      }
      guard at < bytes.count, bytes[at] == UInt8(ascii: ",") else { return (fields, at) }
      at += 1
    }
  }

  private func lineEnd(_ bytes: [UInt8], _ start: Int) -> Int {
    bytes[start...].firstIndex { $0 == 0x0A || $0 == 0x0D } ?? bytes.count
  }

  private func afterLine(_ bytes: [UInt8], _ end: Int) -> Int {
    guard end < bytes.count else { return end }
    return bytes[end] == 0x0D && end + 1 < bytes.count && bytes[end + 1] == 0x0A ? end + 2 : end + 1
  }
}
