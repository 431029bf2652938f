import Curation
import DuckDB
import JobModel
import ObjectStore
import PipelineDefinition
import Testing

@Suite("Names that must exist")
struct NameTests {
  private static let at = Cursor(field: "at", type: ColumnType("timestamptz"))

  private func failure(
    _ step: CurateStep, _ stream: PipelineDefinition.Stream = stream(), text: String = "id,name\n1,a\n",
    sql: String? = nil
  ) async throws -> StageFailure? {
    try await Workbench.with { bench in
      let request = try bench.request(step, [input(stream, try bench.objects([text]))], sql: sql)
      return await #expect(throws: StageFailure.self) { _ = try await bench.curate(request) }
    }
  }

  @Test("a contract column that no record has fails with a suggestion, and nothing is made of it")
  func unknownColumn() async throws {
    let contract = [ContractColumn(name: "nmae", type: .text)]
    let error = try await failure(step(columns: contract))
    #expect(error?.code == "column_missing")
    #expect(error?.message.contains("\"nmae\"") == true)
    #expect(error?.hint == "did you mean \"name\"?")
    #expect(error?.isTransient == false)
    let selected = try await failure(step(columns: contract), sql: "select id as nam from orders")
    #expect(selected?.hint == "did you mean \"nam\"?")
  }

  @Test("is null where it may be absent, and in a run that an earlier engine planned")
  func optional() async throws {
    try await Workbench.with { bench in
      let objects = try bench.objects(["id\n1\n"])
      let contract = [
        ContractColumn(name: "id", type: ColumnType("bigint")),
        ContractColumn(name: "gone", type: ColumnType("date"), optional: true),
      ]
      let result = try await bench.curate(try bench.request(step(columns: contract), [input(stream(), objects)]))
      #expect(try await bench.table(result, "select id a, gone b, typeof(gone) c from data") == [["1", nil, "DATE"]])

      let strict = [ContractColumn(name: "id", type: ColumnType("bigint")), ContractColumn(name: "x", type: .text)]
      var old = try bench.request(
        step(columns: strict), [input(stream(), objects)], sql: "select id, 1 as more from orders")
      old.edition = .first
      let kept = try await bench.curate(old)
      #expect(try await bench.table(kept, "select id a, x b from data") == [["1", nil]])
      #expect(kept.events.map(\.kind) == [.droppedColumn])
    }
  }

  @Test("a field that earlier deliveries had is a column of nulls, with an event")
  func vanished() async throws {
    try await Workbench.with { bench in
      let contract = [ContractColumn(name: "id", type: .text), ContractColumn(name: "name", type: .text)]
      let records = stream(records: .ndjson, key: ["id"], cursor: Self.at)
      for sql in [nil, "select id, name from orders"] {
        let objects = try bench.objects([#"{"id":1,"other":2}"#])
        let request = try bench.request(
          step(columns: contract), [input(records, objects, known: ["id", "name", "at"])], sql: sql)
        let result = try await bench.curate(request)
        #expect(result.counts.all == [1, 1, 0, 0, 0])
        #expect(result.events.map(\.kind) == [.newField, .missingField, .missingField])
        #expect(try await bench.table(result, "select id a, name b from data") == [["1", nil]])
      }
    }
  }

  @Test(
    "an empty first delivery is no mistake",
    arguments: [
      nil, "select id, upper(name) as name from orders",
      "select o.id, c.name from orders o left join current.customers c on c.id = o.id",
    ])
  func empty(sql: String?) async throws {
    try await Workbench.with { bench in
      let contract = [ContractColumn(name: "id", type: .text), ContractColumn(name: "name", type: .text)]
      let orders = input(stream(records: .ndjson, key: ["id"], cursor: Self.at), try bench.objects(["\n"]))
      var none = try bench.objects([""], first: 9)
      none[0].content = CurationObject.Content(bytes: 0, sha256: try FileHash.hash(none[0].path).sha256)
      var customers = input(stream("customers", records: .ndjson, key: ["id"]), none, history: none)
      customers.keepsSegments = true
      let result = try await bench.curate(
        try bench.request(step(columns: contract), sql == nil ? [orders] : [orders, customers], sql: sql))
      #expect(result.counts.all == [0, 0, 0, 0, 0])
    }
  }

  @Test("columns of the SELECT that the contract does not list fail, or are dropped where it says so")
  func extra() async throws {
    let contract = [ContractColumn(name: "id", type: .text)]
    let sql = "select id, name as label from orders"
    let error = try await failure(step(columns: contract), sql: sql)
    #expect(error?.code == "column_extra")
    #expect(error?.message.contains("\"label\"") == true)
    #expect(error?.hint?.contains("extra: drop") == true)
    try await Workbench.with { bench in
      var dropping = step(columns: contract)
      dropping.extra = .drop
      let result = try await bench.curate(
        try bench.request(dropping, [input(stream(), try bench.objects(["id,name\n1,a\n"]))], sql: sql))
      #expect(result.columns.map(\.name) == ["id", "_object", "_position"])
      #expect(result.events.map(\.kind) == [.droppedColumn])
    }
  }

  @Test("a key, a cursor, a partition, an order and a check name what there is")
  func others() async throws {
    let cursor = Cursor(field: "att", type: ColumnType("timestamptz"))
    let text = "id,at\n1,2024-01-01T00:00:00Z\n"
    var partitioned = step()
    partitioned.partitionBy = [Partition(transform: .value, column: "it")]
    var sorted = step()
    sorted.files.sort = ["idd"]
    let unique = step(checks: [DatasetCheck(rule: .unique(["adt"]))])
    let cases = [
      (step(), stream(key: ["idd"]), "did you mean \"id\"?"), (step(), stream(cursor: cursor), "did you mean \"at\"?"),
      (partitioned, stream(), "did you mean \"at\"?"), (sorted, stream(), "did you mean \"id\"?"),
      (unique, stream(), "did you mean \"at\"?"),
    ]
    for (step, stream, hint) in cases {
      let error = try await failure(step, stream, text: text)
      #expect(error?.code == "column_missing")
      #expect(error?.hint == hint, "\(error?.message ?? "")")
    }
  }

  private static func pipeline(_ stream: String, _ dataset: String) throws -> Pipeline {
    let (pipeline, diagnostics) = PipelineParser.parse(
      text: """
        pipeline: p
        sources: {shop: {files: {at: "file:d"}, streams: {orders: {match: "*.csv", \(stream)}}}}
        curate: {d: {from: shop.orders, \(dataset)}}

        """, file: "pipelines/p.yaml")
    return try #require(pipeline, "\(diagnostics)")
  }

  /// What `check` says of a definition, with what earlier runs knew.
  private func told(_ stream: String, _ dataset: String, sql: String? = nil, known: [String] = []) async throws
    -> [String]
  {
    let pipeline = try Self.pipeline(stream, dataset + (sql == nil ? "" : ", sql: sql/d.sql"))
    let earlier = known.isEmpty ? [:] : [StreamReference(source: "shop", stream: "orders"): known]
    guard let sql else { return pipeline.unknownNames(earlier: earlier).map(\.description) }
    return try await Workbench.with { bench in
      try await CurationLint(duckdb: bench.duckdb, scratch: bench.directory)
        .review(pipeline.curate[0], of: pipeline, sql: sql, earlier: earlier, datasets: ["d"]).map(\.description)
    }
  }

  @Test("check tells what it can know: from the stream's columns, from earlier runs, from the SELECT's own text")
  func check() async throws {
    let list = "columns: [id, name]"
    #expect(
      try await told(list, "columns: {nmae: text}") == [
        "pipelines/p.yaml:3:43: the stream \"shop.orders\" has no field \"nmae\"; did you mean \"name\"?"
      ])
    #expect(try await told(list, "columns: {nmae: {type: text, optional: true}}").isEmpty)
    #expect(try await told("key: [id]", "columns: {nmae: text}").isEmpty)
    #expect(try await told("key: [id]", "columns: {nmae: text}", known: ["id", "name"]).count == 1)
    #expect(try await told("key: [ib]", "columns: {name: text}", known: ["id", "name"]).count == 1)
    #expect(try await told("key: [id]", "files: {sort: [nam]}", known: ["id", "name"]).count == 1)

    let columns = "columns: {id: text, nmae: text}"
    #expect(
      try await told("key: [id]", columns, sql: "select id,\n  lower(name) as name from orders") == [
        "pipelines/p.yaml:3:53: the SELECT of \"d\" gives no column \"nmae\"; did you mean \"name\"?",
        "sql/d.sql:2:3: the column \"name\" is not in `columns` of \"d\"; did you mean \"nmae\"?",
      ])
    #expect(try await told("key: [id]", columns, sql: "select * from orders").isEmpty)
    #expect(try await told("key: [id]", columns, sql: "select * from orders", known: ["id", "name"]).count == 2)
    #expect(
      try await told("key: [id]", columns + ", extra: drop", sql: "select * from orders", known: ["id", "name"]).count
        == 1)
    #expect(
      try await told(
        "key: [id]", "partition_by: {value: cty}, checks: [{unique: [id]}]",
        sql: "select id, upper(city) as city from orders")
        == ["pipelines/p.yaml:3:10: the SELECT of \"d\" gives no column \"cty\"; did you mean \"city\"?"])
    let bound = try await told(list, "columns: {id: text}", sql: "select idd as id from orders")
    #expect(bound.count == 1)
    #expect(bound.first?.contains("idd") == true, "\(bound)")
    let typed = try await told(
      list, "columns: {id: text}", sql: "select o.id from orders o join current.orders c using (id) where c._run > 1")
    #expect(typed.isEmpty, "\(typed)")
  }
}
