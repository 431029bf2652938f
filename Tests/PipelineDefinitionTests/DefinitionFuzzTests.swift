import FoundationEssentials
import JobModel
import Testing

@testable import PipelineDefinition

/// Definitions with hostile names in every place. Whatever is written, reading it ends and never traps: what is wrong is told.
///
/// `SLUICE_FUZZ_SECONDS` makes it longer; `SLUICE_TEST_SEED` repeats one. The seed is printed before the first definition.
@Suite("Any definition")
struct DefinitionFuzzTests {
  private static let environment = ProcessInfo.processInfo.environment
  private static var seconds: Double { environment["SLUICE_FUZZ_SECONDS"].flatMap(Double.init) ?? 1.5 }

  @Test("is read or refused, whatever it says")
  func reads() async throws {
    let seed = Self.environment["SLUICE_TEST_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0...UInt64(Int.max))
    print("the definitions of DefinitionFuzzTests: SLUICE_TEST_SEED=\(seed)")
    var hostile = Hostility(seed: seed)
    let clock = ContinuousClock()
    let end = clock.now + .seconds(Self.seconds)
    var (count, pipelines) = (0, 0)
    while clock.now < end {
      pipelines += try Self.read(&hostile) ? 1 : 0
      count += 1
      // Other suites run on the same threads.
      await Task.yield()
    }
    print("read \(count) definitions, \(pipelines) of them to the end")
    #expect(count > 0)
  }

  /// - Returns: Whether there was a pipeline.
  private static func read(_ hostile: inout Hostility) throws -> Bool {
    let text = hostile.chance(3) ? hostile.mutated(Definitions.orders) : hostile.definition()
    let file = hostile.chance(4) ? "pipelines/\(hostile.name()).yaml" : "pipelines/orders.yaml"
    let environment = hostile.chance(2) ? nil : hostile.name()
    let (pipeline, diagnostics) = PipelineParser.parse(text: text, file: file, environment: environment)
    #expect(pipeline != nil || !diagnostics.isEmpty)
    for diagnostic in diagnostics { _ = diagnostic.description }
    _ = PipelineExplanation(text: text, file: file, environment: environment)?.description
    _ = ProjectSettings.parse(text: text, file: "sluice.yaml")

    let files = [file, hostile.name(), "sql/" + hostile.name(), "sql/orders.sql", "sluice.yaml"]
    let paths = Set(files.map { ExactText($0) })
    let bundle = ProjectBundle(files: paths.map { .init(path: $0.text, bytes: Array(text.utf8)) })
    let again = try ProjectBundle(canonicalBytes: bundle.canonicalBytes)
    #expect(again == bundle)
    var damaged = bundle.canonicalBytes
    for _ in 0..<3 { damaged[hostile.below(damaged.count)] = UInt8(hostile.below(256)) }
    _ = try? ProjectBundle(canonicalBytes: damaged)
    let project = Project(bundle: bundle, directory: "/nowhere", environment: environment)
    _ = DefinitionError(refusing: project.diagnostics)?.description
    _ = project.works("orders", like: project)
    for path in files { _ = try? PathText.projectPath(path) }
    for pipeline in project.pipelines + [pipeline].compactMap({ $0 }) {
      _ = pipeline.runPlan
      if let streams = try? pipeline.backfillStreams() {
        let name = hostile.name()
        _ = pipeline.backfillPlan(streams.map { ($0.0, CursorRange(from: name, to: name)) })
      }
    }
    return pipeline != nil
  }
}

/// Names that break what was not made for them, and definitions with these in every place.
private struct Hostility {
  private var state: UInt64
  /// One in so many names is hostile.
  private var rarity = 6

  init(seed: UInt64) { state = seed }

  /// SplitMix64.
  private mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  mutating func below(_ count: Int) -> Int { Int(next() % UInt64(count)) }
  mutating func chance(_ of: Int) -> Bool { below(of) == 0 }
  private mutating func one(_ list: [String]) -> String { list[below(list.count)] }

  private static let pieces = [
    "a", "orders", "\"", "'", "\u{301}", "\"\u{301}", "'\u{301}", "\u{0}", "\n", "\r\n", ".", "..", "/", "\\", ";",
    "--",
    "\n.shell touch x\n", "{", "}", "${", "{cursor}", "secret:", "*", "&x", "!x", "[", "]", ": ", "#", "\t", "\u{FEFF}",
    "\u{E9}", "e\u{301}", "\u{202E}", "\u{2028}", "\u{10FFFF}", "\u{1F468}\u{200D}\u{1F469}", "\u{7F}", "\u{1B}[2J",
    "%", "~",
    "NULL", "yes", "1e999", "-9223372036854775808", "99999999999999999999", "nan", "0x1", "?", "<<", "|", ">", "$.a[*]",
    "a.b",
  ]

  private static let ordinary = ["orders", "shop", "id", "w", "prod", "orders.csv", "shop.orders", "*.csv"]

  mutating func name() -> String {
    if chance(3) { return one(Self.ordinary) }
    if chance(40) { return String(repeating: one(Self.pieces), count: 10_000) }
    return (0..<(1 + below(4))).map { _ in one(Self.pieces) }.joined()
  }

  /// A name as it may stand in YAML: as it is, or in quotes.
  private mutating func written() -> String {
    let name = name()
    switch below(4) {
    case 0: return name
    case 1: return "'" + name.replacing("'", with: "''") + "'"
    default:
      var quoted = "\""
      for scalar in name.unicodeScalars {
        switch scalar {
        case "\"", "\\": quoted += "\\" + String(scalar)
        case let control where control.value < 0x20 || control.value == 0x7F:
          let digits = String(control.value, radix: 16)
          quoted += "\\x" + (digits.utf8.count == 1 ? "0" : "") + digits
        default: quoted.unicodeScalars.append(scalar)
        }
      }
      return quoted + "\""
    }
  }

  /// Mostly right, so that the names get past the first check.
  private mutating func or(_ usual: String) -> String { chance(rarity) ? written() : usual }

  mutating func definition() -> String {
    rarity = [6, 30, 60][below(3)]
    return """
      pipeline: \(or("orders"))
      owner: \(or("someone"))
      priority: \(or("5"))
      weight: \(or("2"))
      schedule: {cron: \(or("\"15 21 * * *\"")), timezone: \(or("UTC"))}
      sources:
        \(or("shop")):
          http: {base_url: \(or("https://a.example")), limits: {min_rate: \(or("1kB/s")), requests_per_second: \(or("3"))}}
          streams:
            \(or("orders")):
              get: \(or("/orders.csv?since={cursor}"))
              query: {\(or("limit")): \(or("5"))}
              paginate: {page: \(or("p")), start: \(or("1"))}
              max_pages: \(or("7"))
              records: {format: csv, delimiter: \(or("\";\"")), null: \(or("\"\"")), quote: \(or("'\"'"))}
              key: [\(or("id"))]
              columns: [\(or("id")), \(or("name"))]
              cursor: {field: \(or("id")), type: \(or("bigint")), start: \(or("0"))}
        drops:
          files: {at: \(or("\"file:drops/{env}\""))}
          streams: {\(or("stock")): {match: \(or("\"*.csv\"")), columns: {\(or("id")): \(or("bigint"))}}}
      raw: {to: \(or("\"file:raw\""))}
      curate:
        \(or("orders")):
          from: [\(or("shop.orders"))]
          sql: \(or("sql/orders.sql"))
          columns:
            \(or("id")): {type: \(or("bigint")), min: \(or("0")), max: \(or("9"))}
            \(or("name")): {type: text, one_of: [\(or("a"))], pattern: \(or("a"))}
          bad_rows: {stop_over: \(or("0.5%"))}
          checks: [{unique: [\(or("id"))]}, {rows: {change_from_last_run: \(or("\"-20%..+50%\""))}}]
          partition_by: {value: \(or("name"))}
          files: {target: \(or("128MB"))}
      load:
        \(or("w")):
          postgres: {url: \(or("\"secret:w\""))}
          tables: {\(or("public.orders")): {from: \(or("orders")), mode: merge, key: [\(or("id"))]}}
      environments:
        \(or("prod")): {raw: \(or("\"file:raw2\"")), load: {schema_suffix: \(or("_x"))}, pipeline: {\(or("owner")): \(or("x"))}}
      """
  }

  /// A right definition with some of its bytes exchanged, doubled or removed.
  mutating func mutated(_ text: String) -> String {
    var bytes = Array(text.utf8)
    for _ in 0..<(1 + below(8)) {
      let at = below(bytes.count)
      switch below(4) {
      case 0: bytes.insert(contentsOf: Array(one(Self.pieces).utf8), at: at)
      case 1: bytes.remove(at: at)
      case 2: bytes[at] = UInt8(below(128))
      default: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 40)], at: below(bytes.count))
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
