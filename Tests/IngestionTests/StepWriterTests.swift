import AsyncHTTPClient
import Catalog
import JobModel
import JobStore
import ObjectStore
import PipelineDefinition
import Postgres
import Synchronization
import Testing

@testable import Ingestion

/// A store in which to publish takes until it is told to go on.
private struct GatedStore: ObjectStore {
  let base: LocalObjectStore
  let willPublish: @Sendable () async throws -> Void

  func put(
    _ key: ObjectKey, condition: PutCondition, from chunks: some AsyncSequence<[UInt8], any Error>
  ) async throws -> StoredObject { try await base.put(key, condition: condition, from: chunks) }

  func stage(_ key: ObjectKey, from chunks: some AsyncSequence<[UInt8], any Error>) async throws -> StagedObject {
    try await base.stage(key, from: chunks)
  }

  func publish(_ objects: [StagedObject], condition: PutCondition) async throws {
    try await willPublish()
    try await base.publish(objects, condition: condition)
  }

  func adopt(file path: String, as key: ObjectKey, condition: PutCondition) async throws -> StoredObject {
    try await base.adopt(file: path, as: key, condition: condition)
  }

  func get(_ key: ObjectKey, range: Range<Int64>?) -> AsyncThrowingStream<[UInt8], any Error> {
    base.get(key, range: range)
  }
  func list(prefix: String) async throws -> [ObjectInfo] { try await base.list(prefix: prefix) }
  func info(_ key: ObjectKey) async throws -> ObjectInfo? { try await base.info(key) }
  func delete(_ key: ObjectKey) async throws { try await base.delete(key) }
  func localPath(_ key: ObjectKey) -> String? { base.localPath(key) }
}

@Suite("What a pull brings")
struct StepWriterTests {
  private struct Broken: Error {}

  /// Five pages by token. `body` gets a writer whose store waits for `gate` before it publishes.
  private func fivePages(
    requests: AsyncStream<Int>.Continuation? = nil, gate: @escaping @Sendable () async throws -> Void,
    _ body: @escaping @Sendable (StepWriter, any Pull, IngestBench, SourceServer, PullFixture) async throws -> Void
  ) async throws {
    let script: @Sendable (SourceServer.Request, Int) -> SourceServer.Response = { request, number in
      requests?.yield(number)
      let page = request.parameter("t").flatMap { Int($0) } ?? 0
      return Self.page(page)
    }
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        try await SourceServer.serving(script) { server async throws in
          let source = Source(
            name: "billing", kind: .http(HTTPSource(baseURL: ValueTemplate(literal: server.url))),
            streams: [Stream(name: "invoices", records: .json(path: "$.data[*]"))])
          try await IngestBench.with(source, fixture: fixture, client: client) { bench async throws in
            let attempt = try #require(try await bench.claim())
            let store = GatedStore(base: fixture.store, willPublish: gate)
            var context = fixture.context()
            context.store = store
            context.shouldYield = { attempt.shouldYield }
            let pull = try await httpConnector(
              server.url, client, fixture, paginate: .token(path: "$.next", param: "t")
            ).pull(from: nil, in: context)
            let writer = StepWriter(
              store: store, catalog: bench.catalog, stream: bench.stream,
              format: HTTPConnector.checkpointFormat, attempt: attempt)
            try await body(writer, pull, bench, server, fixture)
          }
        }
      }
    }
  }

  private static func page(_ number: Int) -> SourceServer.Response {
    .json("{\"data\": [{\"id\": \(number)}], \"next\": \(number < 4 ? "\"\(number + 1)\"" : "null")}")
  }

  @Test("is committed while the next pages are fetched, several in one transaction, each once and in order")
  func overlaps() async throws {
    let (requests, sent) = AsyncStream.makeStream(of: Int.self)
    // The first page is published only when all five were asked for.
    let gate: @Sendable () async throws -> Void = {
      for await number in requests where number == 4 { sent.finish() }
    }
    try await fivePages(requests: sent, gate: gate) {
      writer, pull, bench, server, fixture async throws in
      // Later batches wait for nothing.
      let ended = try await writer.carry(pull, outrunBy: nil)
      #expect(ended.pull.newCursor == nil)
      let objects = try await bench.catalog.objects(ofRun: bench.run)
      #expect(objects.map(\.sequence) == [0, 1, 2, 3, 4])
      for object in objects { #expect(try await fixture.text(object.key).contains("\"id\": \(object.sequence)}")) }
      let rows = try await bench.store.database.query("select count(distinct xmin::text) as n from sluice.raw_object")
      #expect(try rows.only.int("n") == 2, "the first page, then the other four")
      #expect(server.requests.count == 5)
    }
  }

  @Test("and cannot be made durable is recorded nowhere, and the pull ends")
  func notDurable() async throws {
    let calls = Atomic(0)
    let gate: @Sendable () async throws -> Void = {
      if calls.add(1, ordering: .relaxed).newValue == 2 { throw Broken() }
    }
    try await fivePages(gate: gate) { writer, pull, bench, _, fixture async throws in
      await #expect(throws: Broken.self) { _ = try await writer.carry(pull, outrunBy: nil) }
      let objects = try await bench.catalog.objects(ofRun: bench.run)
      #expect(!objects.isEmpty && objects.count < 5)
      #expect(try await fixture.keys == objects.map(\.key), "what is not recorded is not there")
      let mark = try await bench.store.database.query("select state from sluice.mark").only.string("state")
      #expect(mark.contains("\"page\": \(objects.count)"))
    }
  }

  @Test("by an attempt that has lost its job is recorded nowhere")
  func leaseLost() async throws {
    let (requests, sent) = AsyncStream.makeStream(of: Int.self)
    let gate: @Sendable () async throws -> Void = {
      for await number in requests where number >= 2 { sent.finish() }
    }
    try await fivePages(requests: sent, gate: gate) { writer, pull, bench, _, _ async throws in
      try await bench.giveBack(writer.attempt)
      await #expect(throws: LeaseLost.self) { _ = try await writer.carry(pull, outrunBy: nil) }
      #expect(try await bench.catalog.objects(ofRun: bench.run).isEmpty)
    }
  }
}
