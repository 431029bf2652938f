import Catalog
import JobModel
import PipelineDefinition
import Testing

@testable import Ingestion

@Suite("An answer that was packed for the transfer")
struct ContentCodingTests {
  private static let packings: [(coding: String, bytes: [UInt8])] = [
    ("gzip", PackedBodies.gzip), ("X-Gzip", PackedBodies.gzip), ("deflate", PackedBodies.zlib),
    ("Deflate", PackedBodies.raw), ("identity", Array(PackedBodies.text.utf8)),
  ]

  private static let damages: [(coding: String, bytes: [UInt8])] = [
    ("gzip", Array(PackedBodies.gzip.dropLast(4))), ("deflate", Array(PackedBodies.zlib.dropLast(1))),
    ("deflate", Array(PackedBodies.raw.dropLast(9))), ("gzip", PackedBodies.zlib), ("deflate", PackedBodies.gzip),
    ("gzip", Array("{}".utf8)), ("deflate", PackedBodies.zlib + [0]), ("deflate", [0x78]),
  ]

  @Test("is kept unpacked, and can be paged and followed by a cursor", arguments: packings)
  func unpacked(coding: String, bytes: [UInt8]) async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        let packed = SourceServer.Response(headers: [("Content-Encoding", coding)], body: bytes)
        try await SourceServer.serving({ _, _ in packed }) { server async throws in
          let outcome = await carry(
            httpConnector(
              server.url, client, fixture, paginate: .token(path: "$.next", param: "t"),
              cursor: Cursor(field: "id", type: ColumnType("bigint"))), in: fixture.context())
          #expect(outcome.error == nil)
          let object = try #require(outcome.objects.first)
          #expect(object.key.hasSuffix("-0.json"))
          #expect(object.records == 60_000)
          #expect(outcome.newCursor == "6")
          #expect(try await fixture.text(object.key) == PackedBodies.text)
        }
      }
    }
  }

  @Test(
    "is unpacked whatever the pieces are in which it comes",
    arguments: [PackedBodies.gzip, PackedBodies.zlib, PackedBodies.raw], [1, 2, 3, 100, 10_000])
  func pieces(bytes: [UInt8], size: Int) throws {
    let inflater = Inflater(bytes.starts(with: [0x1F, 0x8B]) ? .gzip : .deflate)
    var unpacked: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: size) {
      inflater.feed(Array(bytes[start..<min(start + size, bytes.count)]))
      while let piece = try inflater.next() {
        #expect(piece.count <= Inflater.pieceBytes)
        unpacked += piece
      }
    }
    try inflater.finish()
    #expect(unpacked == Array(PackedBodies.text.utf8))
  }

  @Test(
    "and is damaged or ends early is asked for again, and nothing of it is kept", arguments: damages)
  func damaged(coding: String, bytes: [UInt8]) async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        let packed = SourceServer.Response(headers: [("Content-Encoding", coding)], body: bytes)
        try await SourceServer.serving({ _, _ in packed }) { server async throws in
          let outcome = await carry(
            httpConnector(server.url, client, fixture, retry: HTTPRetry(max: 1)), in: fixture.context())
          #expect(outcome.failure?.code == "source_unreachable")
          #expect(outcome.failure?.message.contains("not what its Content-Encoding says") == true)
          #expect(server.requests.count == 2)
          #expect(try await fixture.keys.isEmpty)
        }
      }
    }
  }

  @Test("counts against limits: body as it is kept")
  func limited() async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        let packed = SourceServer.Response(headers: [("Content-Encoding", "deflate")], body: PackedBodies.zlib)
        try await SourceServer.serving({ _, _ in packed }) { server async throws in
          let outcome = await carry(
            httpConnector(server.url, client, fixture, maximumBody: 100_000), in: fixture.context())
          #expect(outcome.failure?.code == "source_body")
          #expect(try await fixture.keys.isEmpty)
        }
      }
    }
  }

  @Test("in a way that is not read is refused by name", arguments: ["br", "gzip, deflate", "compress"])
  func unknown(coding: String) async throws {
    try await PullFixture.with { fixture async throws in
      try await withClient { client async throws in
        let packed = SourceServer.Response(headers: [("Content-Encoding", coding)], body: [1, 2, 3])
        try await SourceServer.serving({ _, _ in packed }) { server async throws in
          let outcome = await carry(httpConnector(server.url, client, fixture), in: fixture.context())
          #expect(outcome.failure?.code == "source_encoding")
          #expect(outcome.failure?.message.contains("Content-Encoding is \(coding)") == true)
          #expect(server.requests.count == 1)
        }
      }
    }
  }
}
