/// A body whose chunks pass a watcher before they go on: only as fast as they are asked for.
struct MonitoredBody<Base: AsyncSequence>: AsyncSequence where Base.Element == [UInt8] {
  typealias Element = [UInt8]
  typealias Failure = any Error

  let base: Base
  let onChunk: ([UInt8]) -> Void
  /// Called when the base has ended; may refuse the whole.
  let onEnd: () throws -> Void

  func makeAsyncIterator() -> AsyncIterator {
    AsyncIterator(base: base.makeAsyncIterator(), onChunk: onChunk, onEnd: onEnd)
  }

  struct AsyncIterator: AsyncIteratorProtocol {
    var base: Base.AsyncIterator
    let onChunk: ([UInt8]) -> Void
    let onEnd: () throws -> Void

    mutating func next() async throws -> [UInt8]? {
      guard let chunk = try await base.next() else {
        try onEnd()
        return nil
      }
      onChunk(chunk)
      return chunk
    }
  }
}
