/// A body that is unpacked while it arrives, in pieces of a bounded size.
struct InflatedBody<Base: AsyncSequence>: AsyncSequence where Base.Element == [UInt8] {
  typealias Element = [UInt8]
  typealias Failure = any Error

  let base: Base
  /// nil: the body is as it is.
  let inflater: Inflater?

  func makeAsyncIterator() -> AsyncIterator { AsyncIterator(base: base.makeAsyncIterator(), inflater: inflater) }

  struct AsyncIterator: AsyncIteratorProtocol {
    var base: Base.AsyncIterator
    let inflater: Inflater?

    mutating func next() async throws -> [UInt8]? {
      guard let inflater else { return try await base.next() }
      while true {
        if let piece = try inflater.next() { return piece }
        guard let packed = try await base.next() else {
          try inflater.finish()
          return nil
        }
        inflater.feed(packed)
      }
    }
  }
}
