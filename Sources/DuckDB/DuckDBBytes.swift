import Subprocess

/// What a DuckDB child writes to its standard output, in chunks of at most a pipe's size; can be read once.
package struct DuckDBBytes: AsyncSequence, Sendable {
  package typealias Element = [UInt8]
  package typealias Failure = any Error

  /// The child's last word on its standard error when every statement went well.
  static let success = "@@sluice done"

  private let output: SubprocessOutputSequence
  private let errors: SubprocessOutputSequence
  private let parse: @Sendable (String) -> DuckDBError

  init(
    _ output: SubprocessOutputSequence, _ errors: SubprocessOutputSequence,
    parse: @escaping @Sendable (String) -> DuckDBError
  ) {
    self.output = output
    self.errors = errors
    self.parse = parse
  }

  package func makeAsyncIterator() -> Iterator {
    Iterator(output: output.makeAsyncIterator(), errors: errors, parse: parse)
  }

  package struct Iterator: AsyncIteratorProtocol {
    var output: SubprocessOutputSequence.AsyncIterator
    let errors: SubprocessOutputSequence
    let parse: @Sendable (String) -> DuckDBError
    private var ended = false

    init(
      output: SubprocessOutputSequence.AsyncIterator, errors: SubprocessOutputSequence,
      parse: @escaping @Sendable (String) -> DuckDBError
    ) {
      self.output = output
      self.errors = errors
      self.parse = parse
    }

    package mutating func next() async throws -> [UInt8]? { try await next(isolation: nil) }

    package mutating func next(isolation actor: isolated (any Actor)?) async throws -> [UInt8]? {
      guard !ended else { return nil }
      if let chunk = try await output.next(isolation: actor) {
        return chunk.withUnsafeBytes { [UInt8]($0) }
      }
      ended = true
      // The child writes at most one message, which fits into the pipe, so reading it last cannot block it.
      var told: [UInt8] = []
      var reader = errors.makeAsyncIterator()
      while let chunk = try await reader.next(isolation: actor) {
        chunk.withUnsafeBytes { told.append(contentsOf: $0) }
      }
      let text = String(decoding: told, as: UTF8.self)
      guard text.contains(DuckDBBytes.success) else { throw parse(text) }
      return nil
    }
  }
}
