import Testing

@testable import PipelineDefinition

@Suite("Values of a definition")
struct ValueFormatTests {
  @Test(
    "A duration has a unit",
    arguments: [
      ("10m", Duration.seconds(600)), ("250ms", .milliseconds(250)), ("0s", .zero), ("2h", .seconds(7200)),
      ("400d", .seconds(34_560_000)),
    ])
  func duration(text: String, expected: Duration) throws {
    #expect(try MeasureText.duration(text) == expected)
  }

  @Test(
    "What is no duration is refused",
    arguments: [
      "10", "m", "", "1.5h", "10 m", "-1m", "10min", "99999999999999999d", "10M", "36526d", "9223372036854775807ms",
      "106751991168d", "1e3s", "\u{0661}s", "nans",
    ])
  func noDuration(text: String) {
    #expect(throws: ValueProblem.self) { try MeasureText.duration(text) }
  }

  @Test(
    "An amount of bytes has a unit",
    arguments: [
      ("256MB", 256_000_000), ("1GB", 1_000_000_000), ("1.5GB", 1_500_000_000), ("64KiB", 65536),
      ("1GiB", 1_073_741_824),
      ("10kB", 10_000), ("1B", 1),
    ])
  func bytes(text: String, expected: Int) throws {
    #expect(try MeasureText.byteCount(text) == expected)
  }

  @Test(
    "What is no amount of bytes is refused",
    arguments: [
      "256", "0MB", "MB", "", "1.0000000001kB", "-1MB", "1Mb", "1..5MB", "1e30TB", "nanMB", "infB",
      String(repeating: "9", count: 400) + "TB",
    ])
  func noBytes(text: String) {
    #expect(throws: ValueProblem.self) { try MeasureText.byteCount(text) }
  }

  @Test("Bytes per second say so")
  func byteRate() throws {
    #expect(try MeasureText.byteRate("40MB/s") == 40_000_000)
    #expect(throws: ValueProblem.self) { try MeasureText.byteRate("40MB") }
  }

  @Test(
    "A share is a percentage of at most everything", arguments: [("0.5%", 0.005), ("0%", 0), ("100%", 1), ("50%", 0.5)])
  func share(text: String, expected: Double) throws {
    #expect(try MeasureText.share(text) == expected)
  }

  @Test(
    "What is no share is refused",
    arguments: ["0.5", "%", "101%", "-1%", "1 %", "", "nan%", "inf%", String(repeating: "9", count: 400) + "%"])
  func noShare(text: String) {
    #expect(throws: ValueProblem.self) { try MeasureText.share(text) }
  }

  @Test("A change has two bounds, the lesser one first")
  func change() throws {
    #expect(try MeasureText.change("-20%..+50%") == -0.2...0.5)
    #expect(try MeasureText.change("0%..1000%") == 0...10)
    for text in [
      "-20%", "..50%", "-20..50", "50%..-20%", "-150%..0%", "a%..b%", "-20%..", "--20%..50%",
      "0%..\(String(repeating: "9", count: 400))%", "nan%..inf%",
    ] {
      #expect(throws: ValueProblem.self, "\(text)") { try MeasureText.change(text) }
    }
  }

  @Test(
    "Column types have one name each",
    arguments: [
      ("int", "integer"), ("INT8", "bigint"), ("bigint", "bigint"), ("int2", "smallint"), ("varchar", "text"),
      ("string", "text"), ("double precision", "double"), ("float8", "double"), ("float4", "real"), ("bool", "boolean"),
      ("numeric(10)", "decimal(10,0)"), ("decimal(18, 4)", "decimal(18,4)"), ("DECIMAL(38,38)", "decimal(38,38)"),
      ("timestamp with time zone", "timestamptz"), ("timestamp without time zone", "timestamp"), ("jsonb", "json"),
      ("blob", "bytea"), ("uuid", "uuid"), ("date", "date"), ("time", "time"),
    ])
  func columnType(text: String, expected: String) throws {
    #expect(try ColumnTypeText.columnType(text).name == expected)
  }

  @Test(
    "A type that would lose something is refused with what to write",
    arguments: [
      ("varchar(20)", "write {type: text, pattern: \"^.{0,20}$\"}"),
      ("float", "write double (8 bytes) or real (4 bytes)"),
      ("decimal", "write decimal(18,4): digits in all, digits after the point"),
      ("decimal(39,2)", "write 1 to 38 digits in all"), ("decimal(4,5)", "write decimal(4,s) with s from 0 to 4"),
      ("datetime", "write timestamptz for an instant, timestamp for a clock on the wall"),
      ("uint64", "write decimal(20,0)"), ("bigint(20)", "write bigint"), ("timestmp", "did you mean \"timestamp\"?"),
    ])
  func refusedType(text: String, suggestion: String) {
    do {
      let type = try ColumnTypeText.columnType(text)
      Issue.record("\(text) was read as \(type)")
    } catch {
      #expect(error.suggestion == suggestion)
    }
  }

  @Test("A time zone is UTC or an area and a city")
  func timeZone() throws {
    for text in ["UTC", "Europe/Zurich", "America/Argentina/Buenos_Aires", "Etc/GMT+5"] { try ClockText.timeZone(text) }
    for text in ["CET", "EST5EDT", "+01:00", "europe/zurich", "Europe/", ""] {
      #expect(throws: ValueProblem.self, "\(text)") { try ClockText.timeZone(text) }
    }
  }

  @Test("A cursor's start is a value of its type")
  func cursorStart() {
    let right = [
      ("bigint", "42"), ("date", "2024-01-01"), ("timestamp", "2024-01-01T10:00:00"), ("timestamp", "2024-01-01"),
      ("timestamptz", "2024-01-01T00:00:00Z"), ("timestamptz", "2024-01-01 00:00:00.5+02:00"), ("text", "anything"),
    ]
    for (type, text) in right { #expect(CursorStart.problem(text, type: ColumnType(type)) == nil, "\(type) \(text)") }
    let wrong = [
      ("bigint", "1.5"), ("date", "01.01.2024"), ("date", "2024-13-01"), ("timestamp", "2024-01-01T10:00:00Z"),
      ("timestamptz", "2024-01-01T00:00:00"), ("timestamptz", "2024-01-01"), ("timestamptz", "2024-01-01T25:00:00Z"),
      ("timestamptz", "2024-01-01T00:00:00+zz"),
    ]
    for (type, text) in wrong { #expect(CursorStart.problem(text, type: ColumnType(type)) != nil, "\(type) \(text)") }
  }

  @Test(
    "A template is literals, variables, secrets and placeholders",
    arguments: [
      ("", [ValueTemplate.Part.literal("")]), ("a", [.literal("a")]), ("${A}/b", [.environment("A"), .literal("/b")]),
      ("secret:a/b", [.secret("a/b")]),
      ("x{cursor}y{run}", [.literal("x"), .placeholder("cursor"), .literal("y"), .placeholder("run")]),
      ("/o/{orders.id}/l", [.literal("/o/"), .placeholder("orders.id"), .literal("/l")]),
      ("{\"a\": {\"b\": \"{cursor}\"}}", [.literal("{\"a\": {\"b\": \""), .placeholder("cursor"), .literal("\"}}")]),
      ("a{ b} $5 {}", [.literal("a{ b} $5 {}")]),
    ])
  func template(text: String, parts: [ValueTemplate.Part]) throws {
    let template = try TemplateText.template(text, in: .request)
    #expect(template.parts == parts)
    #expect(template.source == text)
  }

  @Test(
    "A path that leads out of the project is refused, also where a combining mark follows a slash",
    arguments: [
      "../x", "a/../x", "a/..", "..", "/etc", "a/../\u{301}x", "..\u{2F}\u{301}x", "\u{2F}\u{301}etc", "a\u{0}b",
      "a//b",
    ])
  func noPath(text: String) {
    #expect(throws: ValueProblem.self) { try PathText.projectPath(text) }
    guard !text.contains("\u{0}"), text != "a//b" else { return }
    #expect(throws: ValueProblem.self) { try PathText.glob(text) }
  }

  @Test("A location inside of the project may be relative; one outside is absolute")
  func location() throws {
    for text in [
      "file:drops", "file:drops/{env}", "file:/data/../drops", "file:///data", "file:a..b", "file:.sluice/raw",
    ] {
      #expect(throws: Never.self, "\(text)") { try LocationText.template(text) }
    }
    for text in ["file:..", "file:../x", "file:a/../../x", "file://../x", "file:a/{env}/..", "file:a/..\u{2F}\u{301}x"]
    {
      #expect(throws: ValueProblem.self, "\(text)") { try LocationText.template(text) }
    }
  }

  @Test(
    "A number out of all range makes no cron field, no date and no type",
    arguments: ["99999999999999999999", "-9223372036854775808", "nan", "1e9", "\u{0663}"])
  func hostileNumbers(number: String) {
    #expect(throws: ValueProblem.self) { try ClockText.cron("\(number) 0 * * *") }
    #expect(throws: ValueProblem.self) { try ClockText.cron("*/\(number) 0 * * *") }
    #expect(throws: ValueProblem.self) { try ClockText.cron("0-\(number) 0 * * *") }
    #expect(throws: ValueProblem.self) { try ClockText.timeOfDay("\(number):00") }
    #expect(!ClockText.isDate("\(number)-01-01"))
    #expect(!ClockText.instant("\(number)-01-01T00:00:00Z").isValid)
    #expect(!ClockText.instant("2024-01-01T\(number):00:00Z").isValid)
    #expect(throws: ValueProblem.self) { try ColumnTypeText.columnType("decimal(\(number),\(number))") }
    #expect(throws: ValueProblem.self) { try HTTPRetry.Status(definition: number) }
    #expect(CursorStart.problem(number, type: ColumnType("date")) != nil)
  }

  @Test(
    "A template that cannot be resolved is refused",
    arguments: ["${", "${A", "${1A}", "secret:", "secret:../x", "secret:/etc/passwd", "{nothing}"])
  func noTemplate(text: String) {
    #expect(throws: ValueProblem.self) { try TemplateText.template(text, in: .request) }
  }

  @Test("A misspelt word finds the one that was meant, and no other")
  func spelling() {
    let words = ["schedule", "sources", "raw", "load", "key"]
    #expect(Spelling.nearest(to: "shedule", in: words) == "schedule")
    #expect(Spelling.nearest(to: "scehdule", in: words) == "schedule")
    #expect(Spelling.nearest(to: "RAW", in: words) == "raw")
    #expect(Spelling.nearest(to: "colour", in: words) == nil)
    #expect(Spelling.distance("kitten", "sitting") == 3)
    #expect(Spelling.distance("", "abc") == 3)
  }
}
