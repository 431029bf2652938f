/// Looks until something has come that a measurement waits for.
struct Waiting: Sendable {
  /// How often it looks: what is measured by it is no finer.
  var look: Duration
  var patience: Duration

  /// - Throws: ``BenchError`` `not_come`, or what the look throws.
  @discardableResult
  func wait<T: Sendable>(for what: String, _ body: () async throws -> T?) async throws -> T {
    let clock = ContinuousClock()
    let deadline = clock.now + patience
    while clock.now < deadline {
      if let found = try await body() { return found }
      try await clock.sleep(for: look)
    }
    throw BenchError("not_come", "\(what) did not come within \(patience)")
  }
}
