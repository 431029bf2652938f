import Ingestion
import JobModel
import PipelineDefinition
import Testing

@testable import Ingestion

@Suite("An answer or a file that is larger than limits.body")
struct BodyLimitTests {
  @Test("ends the pull with an error that names the setting, announced or not", arguments: [true, false])
  func answer(isAnnounced: Bool) async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        var large = page(Array(1...200))
        large.announcesLength = isAnnounced
        let response = large
        try await SourceServer.serving({ _, number in number == 0 ? page([1], next: "\"/2\"") : response }) {
          server async throws in
          let outcome = await carry(
            httpConnector(server.url, client, fixture, paginate: .nextURL(path: "$.next"), maximumBody: 1000),
            in: fixture.context())
          #expect(outcome.failure?.code == "source_body")
          #expect(outcome.failure?.isTransient == false)
          #expect(outcome.failure?.hint?.contains("limits: {body") == true)
          #expect(outcome.objects.count == 1, "the page before is kept")
          #expect(server.requests.count == 2, "it is not tried again")
          #expect(try await fixture.keys.count == 1)
        }
      }
    }
  }

  @Test("ends the pull of files too")
  func file() async throws {
    try await PullFixture.with { fixture async throws in
      try fixture.write(String(repeating: "x", count: 1000), to: "in/a")
      try fixture.write(String(repeating: "x", count: 1001), to: "in/b")
      let connector = FilesConnector(
        source: FilesSource(at: ValueTemplate(literal: "file:in"), maximumBody: 1000),
        stream: Stream(name: "stock", match: "*", read: .full, records: .bytes),
        resolver: ValueResolver(environment: { _ in nil }, secret: { _ in nil }), projectDirectory: fixture.directory,
        seen: { _ in [] }, timing: fixture.timing)
      let outcome = await carry(connector, in: fixture.context())
      #expect(outcome.failure?.code == "source_body")
      #expect(outcome.failure?.message.contains("b is larger than 1000 bytes") == true)
      #expect(outcome.objects.count == 1)
    }
  }
}
