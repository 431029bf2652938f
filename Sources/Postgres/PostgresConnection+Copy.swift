extension PostgresConnection {
  package func copyIn<Chunks: AsyncSequence & Sendable>(_ sql: String, from chunks: Chunks) async throws -> Int
  where Chunks.Element == [UInt8] {
    try await copyIn(sql, from: chunks, in: nil)
  }

  package func copyOut(_ sql: String, _ consume: @Sendable ([UInt8]) async throws -> Void) async throws -> Int {
    try await copyOut(sql, consume, in: nil)
  }

  func copyIn<Chunks: AsyncSequence & Sendable>(
    _ sql: String, from chunks: Chunks, in transaction: UInt64?
  ) async throws -> Int where Chunks.Element == [UInt8] {
    let watch = OperationWatch("copy in")
    return try await copying(watch, sql, isIn: true, transaction) { wire in
      do {
        var iterator = chunks.makeAsyncIterator()
        while let chunk = try await iterator.next(isolation: self) { try wire.putCopy(chunk, watch) }
        // A stream ends early when its task is cancelled; half of it must not be committed.
        try Task.checkCancellation()
      } catch {
        wire.abandonCopyIn(watch)
        throw error
      }
      return try wire.run(watch) { try wire.endCopyIn(watch) }
    }
  }

  func copyOut(
    _ sql: String, _ consume: @Sendable ([UInt8]) async throws -> Void, in transaction: UInt64?
  ) async throws -> Int {
    let watch = OperationWatch("copy out")
    return try await copying(watch, sql, isIn: false, transaction) { wire in
      do {
        while let chunk = try wire.run(watch, { try wire.nextCopyChunk(watch) }) { try await consume(chunk) }
      } catch {
        wire.abandonCopyOut(watch)
        throw error
      }
      return try wire.run(watch) { try wire.finishCopy(watch) }
    }
  }

  private func copying(
    _ watch: OperationWatch, _ sql: String, isIn: Bool, _ transaction: UInt64?,
    _ body: (PostgresWire) async throws -> Int
  ) async throws -> Int {
    try await inTurn(watch, transaction) {
      try await watched(watch) {
        let wire = try openWire(watch)
        try wire.run(watch) { try wire.beginCopy(sql, isIn: isIn, watch) }
        return try await streaming { try await body(wire) }
      }
    }
  }
}
