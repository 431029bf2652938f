import Catalog
import JobModel
import PipelineDefinition
import Testing

@testable import Ingestion

/// The fixture's clock says 1994-11-06T08:49:37Z.
@Suite("A cursor that jumps ahead")
struct CursorLimitTests {
  private func cursor(ahead: Duration?, type: String = "timestamptz") -> Cursor {
    Cursor(field: "updated_at", type: ColumnType(type), maximumAhead: ahead)
  }

  private func pull(
    _ cursor: Cursor, stored: String? = nil, range: CursorRange? = nil, at times: [String]
  ) async throws -> PullOutcome {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        let script: @Sendable (SourceServer.Request, Int) -> SourceServer.Response = { _, number in
          page([number], next: number + 1 < times.count ? "\"\(number)\"" : "null", at: times[number])
        }
        return try await SourceServer.serving(script) { server async throws in
          let outcome = await carry(
            httpConnector(
              server.url, client, fixture, paginate: .token(path: "$.next", param: "t"), cursor: cursor,
              storedCursor: stored, range: range), in: fixture.context())
          #expect(outcome.error == nil)
          #expect(outcome.objects.count == times.count, "every page is kept")
          return outcome
        }
      }
    }
  }

  @Test("does not move past its max; what is beyond is told, and comes again")
  func limited() async throws {
    let times = ["1994-11-06T08:00:00Z", "2999-01-01T00:00:00Z", "1994-11-07T08:49:37Z", "1994-11-07T08:49:38Z"]
    let outcome = try await pull(cursor(ahead: .seconds(86_400)), at: times)
    #expect(outcome.newCursor == "1994-11-07T08:49:37Z")
    #expect(outcome.events.map(\.kind) == [.limitedCursor])
    #expect(outcome.events.first?.message.contains("2 records have their updated_at beyond the cursor's max") == true)
    #expect(outcome.events.first?.message.contains("up to 2999-01-01T00:00:00Z") == true)
    #expect(
      outcome.steps.last?.state.contains("\"cursor_beyond\":{\"highest\":\"2999-01-01T00:00:00Z\",\"records\":2}")
        == true)
    let all = try await pull(cursor(ahead: .zero), stored: "1994-01-01", at: ["2999-01-01T00:00:00Z"])
    #expect(all.newCursor == nil)
    #expect(all.events.map(\.kind) == [.limitedCursor])
  }

  @Test("without a max moves, and the run has an event with the way out, until the cursor is back")
  func unlimited() async throws {
    let jumps = try await pull(cursor(ahead: nil), at: ["1994-11-06T08:00:00Z", "1994-11-07T08:49:38Z"])
    #expect(jumps.newCursor == "1994-11-07T08:49:38Z")
    #expect(jumps.events.map(\.kind) == [.farCursor])
    #expect(jumps.events.first?.message.contains("`cursor: {max: now+1d}`") == true)
    let after = try await pull(cursor(ahead: nil), stored: "2999-01-01", at: ["1994-11-06T08:00:00Z"])
    #expect(after.newCursor == nil)
    #expect(after.events.map(\.kind) == [.farCursor])
    let usual = try await pull(cursor(ahead: nil), at: ["1994-11-07T08:49:37Z"])
    #expect(usual.events.isEmpty)
    let range = CursorRange(from: "2999-01-01", to: "3000-01-01")
    #expect(try await pull(cursor(ahead: nil), range: range, at: ["2999-01-01T00:00:00Z"]).events.isEmpty)
  }

  @Test(
    "before it had a max begins again where it was before the jump",
    arguments: [
      (["2999-01-01", "1994-11-05", "1994-11-01"], "1994-11-05"), (["1994-11-05"], "1994-11-05"),
      (["2999-01-01"], nil), ([], nil), (["3000-01-01", "2999-01-01", "1994-11-07"], "1994-11-07"),
    ] as [([String], String?)])
  func stored(history: [String], begins: String?) {
    for type in ["date", "timestamp", "timestamptz"] {
      let limited = cursor(ahead: .seconds(86_400), type: type)
      #expect(CursorProgress.stored(limited, history: history, now: 784_111_777) == begins)
      #expect(CursorProgress.stored(cursor(ahead: nil, type: type), history: history, now: 0) == history.first)
    }
  }
}
