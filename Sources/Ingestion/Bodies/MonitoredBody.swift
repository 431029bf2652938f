/// A body whose chunks pass a watcher before they go on: only as fast as they are asked for.
struct MonitoredBody<Base: AsyncSequence>: AsyncSequence where Base.Element == [UInt8] {
  typealias Element = [UInt8]
  typealias Failure = any Error

  let base: Base
  /// Grows steadily, from wherever; nil: it does not matter how long a chunk was waited for.
  var now: (() -> Duration)?
  /// Called with each chunk and the time that it was waited for; may refuse the rest.
  let onChunk: ([UInt8], Duration) throws -> Void
  /// Called when the base has ended; may refuse the whole.
  let onEnd: () throws -> Void

  func makeAsyncIterator() -> AsyncIterator {
    AsyncIterator(base: base.makeAsyncIterator(), now: now, onChunk: onChunk, onEnd: onEnd)
  }

  struct AsyncIterator: AsyncIteratorProtocol {
    var base: Base.AsyncIterator
    let now: (() -> Duration)?
    let onChunk: ([UInt8], Duration) throws -> Void
    let onEnd: () throws -> Void

    mutating func next() async throws -> [UInt8]? {
      let asked = now?() ?? .zero
      guard let chunk = try await base.next() else {
        try onEnd()
        return nil
      }
      try onChunk(chunk, (now?() ?? .zero) - asked)
      return chunk
    }
  }
}
