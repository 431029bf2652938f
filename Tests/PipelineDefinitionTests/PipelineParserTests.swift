import PipelineDefinition
import Testing

@Suite("Reading a definition")
struct PipelineParserTests {
  @Test("The shortest pipeline is five lines and has every default")
  func shortest() throws {
    let (parsed, diagnostics) = Definitions.parse(Definitions.shortest, file: "pipelines/airports.yaml")
    #expect(diagnostics == [])
    let pipeline = try #require(parsed)
    #expect(Definitions.shortest.split(separator: "\n").count <= 5)
    #expect(pipeline.name == "airports")
    #expect(pipeline.onDeploy == .finish && pipeline.priority == 0 && pipeline.owner == nil)
    #expect(pipeline.raw == RawZone())
    let source = try #require(pipeline.source(named: "openflights"))
    guard case .http(let http) = source.kind else { return #expect(Bool(false), "an http source") }
    #expect(http.baseURL.source == "https://example.com")
    #expect(http.auth == nil && http.retry == HTTPRetry() && http.requestsPerSecond == nil)
    let stream = try #require(pipeline.stream(StreamReference(source: "openflights", stream: "airports")))
    #expect(stream.records == .csv(CSVFormat()))
    #expect(stream.read == .full)
    #expect(stream.request?.path.source == "/airports.csv")
    #expect(stream.request?.method == "GET")
    let dataset = try #require(pipeline.curate.first)
    #expect(dataset.from == [StreamReference(source: "openflights", stream: "airports")])
    #expect(dataset.sqlPath == nil && dataset.badRows.stopOver == nil && dataset.files.targetBytes == 256_000_000)
    let target = try #require(pipeline.load.first)
    guard case .postgres(let url) = target.kind else { return }
    #expect(url.parts == [.secret("warehouse")])
    #expect(url.place == Place(file: "pipelines/airports.yaml", line: 4, column: 36))
    let table = try #require(target.tables.first)
    #expect(table.schema == "public" && table.table == "airports" && table.mode == .replace)
  }

  @Test("Everything that is supported arrives in the pipeline")
  func everythingSupported() throws {
    let (parsed, diagnostics) = Definitions.parse(Definitions.orders)
    #expect(diagnostics == [])
    let pipeline = try #require(parsed)
    #expect(pipeline.owner == "data@acme.example" && pipeline.onDeploy == .handover && pipeline.priority == 5)
    #expect(pipeline.raw.location?.source == "file:.sluice/raw")
    #expect(pipeline.place == Place(file: "pipelines/orders.yaml", line: 1, column: 1))
    #expect(pipeline.notify.map(\.when) == [["failed", "recovered"], ["failed"]])
    #expect(pipeline.sources.map(\.name) == ["billing", "drops"])
  }

  @Test("An http source keeps its authentication, limits and retries")
  func httpSource() throws {
    let pipeline = try #require(Definitions.parse(Definitions.orders).pipeline)
    guard case .http(let http) = pipeline.sources[0].kind else { return #expect(Bool(false), "an http source") }
    #expect(http.baseURL.parts == [.environment("BILLING_URL")])
    guard case .bearer(let token) = http.auth else { return #expect(Bool(false), "a bearer token") }
    #expect(token.parts == [.secret("billing/token")])
    #expect(http.requestsPerSecond == 10)
    #expect(http.retry.statuses == [.code(429), .serverError, .timeout])
    #expect(http.retry.max == 3 && !http.retry.honoursRetryAfter && http.retry.giveUpAfter == .seconds(300))
    let stream = pipeline.sources[0].streams[0]
    #expect(stream.read == .incremental)
    #expect(stream.request?.query.map(\.name) == ["updated_since", "limit"])
    #expect(stream.request?.query[0].value.mentionsCursor == true)
    #expect(stream.request?.query[1].value.source == "500")
    #expect(stream.request?.paginate == .token(path: "$.next", param: "page_token"))
    #expect(stream.records == .json(path: "$.data[*]"))
    #expect(stream.key == ["id"])
    #expect(
      stream.cursor
        == Cursor(
          field: "updated_at", type: ColumnType("timestamptz"), start: "2024-01-01T00:00:00Z", lag: .seconds(600)))
  }

  @Test("A files source keeps its pattern, its csv dialect and how much is read")
  func filesSource() throws {
    let pipeline = try #require(Definitions.parse(Definitions.orders).pipeline)
    guard case .files(let files) = pipeline.sources[1].kind else { return #expect(Bool(false), "a files source") }
    #expect(files.at.parts == [.literal("file:drops/"), .placeholder("env")])
    let (orders, stock) = (pipeline.sources[1].streams[0], pipeline.sources[1].streams[1])
    #expect(orders.match == "orders/*.csv.gz" && orders.read == .incremental)
    #expect(orders.records == .csv(CSVFormat(header: false, delimiter: ";", null: "-", encoding: "latin-1")))
    #expect(orders.columns.map(\.name) == ["order_id", "email", "amount", "ordered_at"])
    #expect(stock.records == .ndjson && stock.read == .full)
  }

  @Test("A dataset keeps its contract with normalised types")
  func dataset() throws {
    let dataset = try #require(Definitions.parse(Definitions.orders).pipeline?.curate.first)
    #expect(dataset.sqlPath == "sql/orders.sql")
    #expect(dataset.from.map(\.description) == ["drops.orders", "billing.invoices"])
    #expect(dataset.columns.map(\.type.name) == ["bigint", "text", "decimal(18,4)", "text", "timestamptz"])
    #expect(dataset.columns[0].required && !dataset.columns[1].required)
    #expect(dataset.columns[1].mask?.salt?.isSecret == true)
    #expect(dataset.columns[2].min == "0" && dataset.columns[2].max == nil)
    #expect(dataset.columns[3].oneOf == ["CHF", "EUR"])
    #expect(dataset.columns[4].sourceTimezone == "Europe/Zurich")
    #expect(dataset.drift == DriftPolicy(newColumn: .fail))
    #expect(dataset.badRows.stopOver == 0.005)
    #expect(
      dataset.checks.map(\.rule) == [
        .unique(["order_id"]), .rowsChange(-0.2...0.5),
        .sql("select count(*) from orders where amount < 0", expect: "0"),
      ])
    #expect(dataset.checks.map(\.severity) == [.fail, .fail, .warn])
    #expect(
      dataset.partitionBy == [
        Partition(transform: .month, column: "ordered_at"), Partition(transform: .value, column: "currency"),
      ])
    #expect(dataset.files == FileLayout(targetBytes: 128_000_000, sort: ["order_id"]))
  }

  @Test("Deletes keep their kind and their limit")
  func deletes() throws {
    let tables = try #require(Definitions.parse(Definitions.orders).pipeline?.load.first?.tables)
    #expect(tables.map(\.deletes) == [nil, LoadTable.Deletes(kind: .soft, stopOver: 0.5)])
    #expect(tables.map(\.key) == [["order_id"], ["id"]])
  }

  @Test("The whole format is accepted; what comes later is told, key by key, and nothing else")
  func wholeShape() {
    let (pipeline, diagnostics) = Definitions.parse(
      Definitions.wholeShape, file: "pipelines/orders_nightly.yaml", environment: "prod")
    #expect(pipeline == nil)
    #expect(diagnostics.filter { $0.severity != .notSupportedYet } == [])
    #expect(diagnostics.map { "\($0.place.line):\($0.place.column) \($0.message)" } == Self.later)
  }

  private static let later = [
    "23:5 \"postgres\" is not supported yet",
    "29:17 locations of the kind \"s3:\" are not supported yet",
    "33:5 \"singer\" is not supported yet",
    "36:5 \"program\" is not supported yet",
    "39:11 locations of the kind \"s3:\" are not supported yet",
    "39:34 \"keep\" is not supported yet",
    "66:5 \"window\" is not supported yet",
    "67:5 \"throttle\" is not supported yet",
    "69:65 deletes of a dataset of full and incremental streams (\"shop.orders\") are not supported yet",
    "70:21 \"verify\" is not supported yet",
    "73:55 \"sns\" is not supported yet",
    "74:64 \"group\" is not supported yet",
    "81:1 \"tests\" is not supported yet",
  ]

  @Test(
    "Pages are found as the definition says",
    arguments: [
      ("none", Pagination.none), ("link_header", .linkHeader),
      ("{next_url: $.links.next}", .nextURL(path: "$.links.next")),
      ("{page: page}", .page(param: "page", start: 1)), ("{page: p, start: 0}", .page(param: "p", start: 0)),
      ("{offset: skip}", .offset(param: "skip", start: 0)),
    ])
  func pagination(text: String, expected: Pagination) throws {
    let definition = Definitions.shortest.replacing(
      "{get: /airports.csv}", with: "{get: /a, paginate: \(text), records: {format: json}}")
    let (pipeline, diagnostics) = Definitions.parse(definition, file: "pipelines/airports.yaml")
    #expect(diagnostics == [])
    #expect(pipeline?.sources[0].streams[0].request?.paginate == expected)
  }

  @Test(
    "Requests prove who asks as the definition says",
    arguments: [
      ("{basic: {user: me, password: \"secret:p\"}}", "basic me secret:p"),
      ("{header: {name: X-Key, value: \"secret:k\"}}", "header X-Key secret:k"),
      ("{query: {name: key, value: \"${KEY}\"}}", "query key ${KEY}"),
    ])
  func authentication(text: String, expected: String) throws {
    let definition = Definitions.shortest.replacing(
      "{http: {", with: "{http: {auth: \(text), ")
    let (pipeline, diagnostics) = Definitions.parse(definition, file: "pipelines/airports.yaml")
    #expect(diagnostics == [])
    guard case .http(let http) = pipeline?.sources[0].kind else { return #expect(Bool(false), "an http source") }
    let found =
      switch http.auth {
      case .basic(let user, let password): "basic \(user.source) \(password.source)"
      case .header(let name, let value): "header \(name) \(value.source)"
      case .query(let name, let value): "query \(name) \(value.source)"
      case .bearer, nil: "other"
      }
    #expect(found == expected)
  }
}
