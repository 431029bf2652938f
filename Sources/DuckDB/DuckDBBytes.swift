import Subprocess

/// What a DuckDB child writes to its standard output, in chunks of at most a pipe's size; can be read once.
package struct DuckDBBytes: AsyncSequence, Sendable {
  package typealias Element = [UInt8]
  package typealias Failure = any Error

  private let output: SubprocessOutputSequence
  /// One text: what the child wrote to its standard error, once it has ended.
  private let told: AsyncStream<String>
  /// The child's last line on its standard error when every statement went well.
  private let success: String
  private let parse: @Sendable (String) -> DuckDBError

  init(
    _ output: SubprocessOutputSequence, told: AsyncStream<String>, success: String,
    parse: @escaping @Sendable (String) -> DuckDBError
  ) {
    self.output = output
    self.told = told
    self.success = success
    self.parse = parse
  }

  package func makeAsyncIterator() -> Iterator {
    Iterator(output: output.makeAsyncIterator(), told: told, success: success, parse: parse)
  }

  package struct Iterator: AsyncIteratorProtocol {
    var output: SubprocessOutputSequence.AsyncIterator
    let told: AsyncStream<String>
    let success: String
    let parse: @Sendable (String) -> DuckDBError
    private var ended = false

    init(
      output: SubprocessOutputSequence.AsyncIterator, told: AsyncStream<String>, success: String,
      parse: @escaping @Sendable (String) -> DuckDBError
    ) {
      self.output = output
      self.told = told
      self.success = success
      self.parse = parse
    }

    package mutating func next() async throws -> [UInt8]? { try await next(isolation: nil) }

    package mutating func next(isolation actor: isolated (any Actor)?) async throws -> [UInt8]? {
      guard !ended else { return nil }
      if let chunk = try await output.next(isolation: actor) {
        return chunk.withUnsafeBytes { [UInt8]($0) }
      }
      ended = true
      var errors = told.makeAsyncIterator()
      let text = await errors.next(isolation: actor) ?? ""
      guard text.contains(success) else { throw parse(text) }
      return nil
    }
  }
}

/// What a child wrote to its standard error: all of it is read, so that the child never waits, and the ends are kept.
enum DuckDBErrors {
  /// DuckDB repeats a value in its message, however long the value is.
  private static let keptBytes = (first: 32_768, last: 4_096)

  static func collect(_ errors: SubprocessOutputSequence, into stream: AsyncStream<String>.Continuation) async {
    var first: [UInt8] = []
    var last: [UInt8] = []
    do {
      for try await chunk in errors {
        chunk.withUnsafeBytes { bytes in
          let room = keptBytes.first - first.count
          first.append(contentsOf: bytes.prefix(room))
          last.append(contentsOf: bytes.dropFirst(room).suffix(keptBytes.last))
        }
        if last.count > keptBytes.last { last.removeFirst(last.count - keptBytes.last) }
      }
    } catch {
      // The child was killed; what it said so far is what there is.
    }
    stream.yield(String(decoding: first + last, as: UTF8.self))
    stream.finish()
  }
}
