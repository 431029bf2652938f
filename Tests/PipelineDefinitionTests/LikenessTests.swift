import Testing

@testable import PipelineDefinition

@Suite("Whether two definitions say the same")
struct LikenessTests {
  private static let shop = """
    pipeline: shop
    sources:
      drops: {files: {at: "file:drops"}, streams: {orders: {match: "*.csv", records: {format: csv}}}}
    curate:
      orders: {from: drops.orders, sql: sql/orders.sql, columns: {id: bigint}}
    load:
      warehouse: {postgres: {url: "secret:warehouse"}, tables: {orders: {from: orders, mode: append}}}

    """

  private func project(_ text: String = shop, sql: String = "select id from orders") -> Project {
    Project(
      bundle: ProjectBundle(files: [
        .init(path: "pipelines/shop.yaml", bytes: Array(text.utf8)),
        .init(path: "sql/orders.sql", bytes: Array(sql.utf8)),
      ]), directory: "/nowhere")
  }

  @Test("comments, places, owners, priorities and schedules make no difference")
  func same() {
    let other =
      "# a comment\n\n" + Self.shop.replacing("pipeline: shop\n", with: "pipeline: shop\nowner: me\npriority: 5\n")
    #expect(project(other).diagnostics.isEmpty)
    #expect(project(other).works("shop", like: project()))
    #expect(project().works("shop", like: project(other)))
  }

  @Test(
    "each part that changes what a run does is seen, and only that part",
    arguments: [
      ("*.csv", "*.csv.gz", false, true), ("file:drops", "file:other", false, true), ("bigint", "integer", true, false),
      ("mode: append", "mode: replace", true, true),
    ])
  func changed(_ old: String, _ new: String, _ pulls: Bool, _ makes: Bool) {
    let other = project(Self.shop.replacing(old, with: new))
    #expect(other.pulls("shop", like: project()) == pulls)
    #expect(other.makes("orders", of: "shop", like: project()) == makes)
    #expect(!other.works("shop", like: project()))
  }

  @Test("SQL counts by its text; a pipeline or a dataset that the other does not have is another")
  func texts() {
    let other = project(sql: "select id + 1 as id from orders")
    #expect(!other.makes("orders", of: "shop", like: project()) && !other.works("shop", like: project()))
    #expect(other.pulls("shop", like: project()))
    #expect(!other.works("none", like: project()))
    #expect(!other.makes("none", of: "shop", like: project()))
  }

  @Test(
    "a dataset is loaded like another with the same tables and keys to merge by, wherever they are",
    arguments: [
      ("mode: append", "mode: merge, key: [id]", false), ("tables: {orders:", "tables: {mart.orders:", true),
      ("from: orders, mode: append", "from: orders, mode: append}, others: {from: orders, mode: append", false),
    ])
  func loads(_ old: String, _ new: String, _ isSame: Bool) throws {
    let other = try #require(project(Self.shop.replacing(old, with: new)).pipelines.first)
    #expect(try other.loads("orders", like: #require(project().pipelines.first)) == isSame)
  }

  @Test("a stream gives the same rows only with the same order of versions and the same longest record")
  func gives() throws {
    func stream(_ change: (inout PipelineDefinition.Stream) -> Void) throws -> PipelineDefinition.Stream {
      var stream = try #require(project().pipelines.first?.sources.first?.streams.first)
      stream.cursor = Cursor(field: "at", type: .text)
      change(&stream)
      return stream
    }
    let before = try stream { _ in }
    #expect(try stream { $0.cursor?.lag = .seconds(5) }.gives(like: before))
    for other in [try stream { $0.cursor?.type = ColumnType("bigint") }, try stream { $0.maximumRecordBytes = 100 }] {
      #expect(other.reads(like: before) && !other.gives(like: before))
    }
  }

  @Test("a stream is read like another as long as its bytes mean the same")
  func streams() throws {
    func stream(_ text: String) throws -> PipelineDefinition.Stream {
      try #require(project(text).pipelines.first?.sources.first?.streams.first)
    }
    let before = try stream(Self.shop)
    #expect(try stream(Self.shop.replacing("*.csv", with: "new/*.csv")).reads(like: before))
    #expect(try !stream(Self.shop.replacing("format: csv", with: "format: ndjson")).reads(like: before))
    #expect(try !stream(Self.shop.replacing("match:", with: "read: full, match:")).reads(like: before))
  }
}
