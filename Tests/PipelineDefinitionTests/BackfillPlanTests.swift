import JobModel
import PipelineDefinition
import Testing

@Suite("The plan of a backfill")
struct BackfillPlanTests {
  private static let text = """
    pipeline: orders
    priority: 7
    sources:
      shop:
        http: {base_url: "https://example.com"}
        streams:
          orders: {get: /o, query: {since: "{cursor}", until: "{until}"}, records: {format: json}, key: [id],
                   cursor: {field: at, type: timestamptz}}
          lines: {get: /l, query: {since: "{cursor}"}, records: {format: json}, key: [id],
                  cursor: {field: at, type: timestamptz}}
          stores: {get: /s, records: {format: json}, key: [id]}
          drafts: {get: /d, query: {since: "{cursor}"}, records: {format: json}, cursor: {field: at, type: bigint}}
    curate:
      sales: {from: [shop.orders, shop.stores], sql: sql/sales.sql}
      lines: {from: shop.lines}
      stores: {from: shop.stores}
    load:
      one: {postgres: {url: "secret:one"}, tables: {sales: {from: sales, mode: merge, key: [id]}}}
      two: {postgres: {url: "secret:two"}, tables: {lines: {from: lines, mode: append}}}

    """

  private func pipeline() throws -> Pipeline { try #require(Definitions.parse(Self.text).pipeline) }

  @Test("reads the range of its streams, the full streams beside them, and makes what follows from these")
  func plan() throws {
    let pipeline = try pipeline()
    let range = CursorRange(from: "2024-01-01T00:00:00Z", to: "2024-02-01T00:00:00Z")
    let plan = pipeline.backfillPlan([(StreamReference(source: "shop", stream: "orders"), range)])
    #expect(plan.jobs.map(\.label) == ["shop.orders", "shop.stores", "sales"])
    #expect(
      plan.jobs.map(\.payload) == [
        #"{"from":"2024-01-01T00:00:00Z","source":"shop","stream":"orders","to":"2024-02-01T00:00:00Z"}"#,
        #"{"source":"shop","stream":"stores"}"#, #"{"dataset":"sales","edition":"2"}"#,
      ])
    #expect(plan.jobs.map(\.after) == [[], [], [0, 1]])
    #expect(plan.loads.map(\.label) == ["one"])
    #expect(plan.loads.map(\.after) == [[2]])
  }

  @Test("comes behind every run, and among backfills by the pipeline's priority")
  func classes() throws {
    var pipeline = try pipeline()
    for priority in [0, 7, 1000] {
      pipeline.priority = priority
      let backfill = pipeline.backfillPlan([]).urgencyClass
      #expect(pipeline.runPlan.urgencyClass == -priority)
      #expect(backfill == 1001 - priority)
      #expect(backfill > 0 && backfill < Int(Int16.max))
    }
  }

  @Test("takes every stream with a cursor that a run pulls, or the one that is named")
  func streams() throws {
    let pipeline = try pipeline()
    #expect(try pipeline.backfillStreams().map(\.0.description) == ["shop.orders", "shop.lines"])
    for name in ["orders", "shop.orders"] {
      #expect(try pipeline.backfillStreams(named: name).map(\.0.description) == ["shop.orders"])
    }
    #expect { try pipeline.backfillStreams(named: "stores") } throws: { ($0 as? DefinitionError)?.code == "no_cursor" }
    #expect { try pipeline.backfillStreams(named: "none") } throws: {
      ($0 as? DefinitionError)?.code == "unknown_stream"
    }
  }

  @Test("finds the table that takes no row twice")
  func append() throws {
    let pipeline = try pipeline()
    func table(_ stream: String) -> String? {
      let datasets = pipeline.datasets(reading: [StreamReference(source: "shop", stream: stream)])
      return pipeline.tableWithoutMerge(of: datasets)?.table.table
    }
    #expect(table("orders") == nil)
    #expect(table("lines") == "lines")
  }

  @Test("{until} is the whole value of a query parameter of a stream with a cursor, and nothing else")
  func until() {
    for (request, place) in [
      ("get: \"/o?until={until}\"", 6), ("get: /o, query: {until: \"x{until}\"}", 6),
      ("get: \"{until}\"", 6),
    ] {
      let text = """
        pipeline: orders
        sources:
          shop:
            http: {base_url: x}
            streams:
              orders: {\(request), records: {format: json}}
        curate: {orders: {from: shop.orders}}

        """
      let diagnostics = Definitions.parse(text).diagnostics
      #expect(diagnostics.map(\.code) == ["placeholder"])
      #expect(diagnostics.first?.place.line == place)
    }
  }
}
