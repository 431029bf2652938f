import JobModel

/// What a target calls while it loads. The job's side of a load; tests put their faults here.
package struct LoadHooks: Sendable {
  /// How far the load is. Cheap; called often.
  package var progress: @Sendable (LoadProgress) -> Void
  /// Called at every named step. What it throws ends the load there: a pause, a lost lease, a test's fault.
  package var reached: @Sendable (KillPoint) async throws -> Void
  /// Something an operator would ask about later, such as deletes that were left out.
  package var event: @Sendable (_ kind: String, _ message: String) async throws -> Void
  /// Says that a wait for this begins, or ends.
  package var waits: @Sendable (_ cause: WaitCause, _ begins: Bool) -> Void

  package init(
    progress: @escaping @Sendable (LoadProgress) -> Void = { _ in },
    reached: @escaping @Sendable (KillPoint) async throws -> Void = { _ in },
    event: @escaping @Sendable (_ kind: String, _ message: String) async throws -> Void = { _, _ in },
    waits: @escaping @Sendable (_ cause: WaitCause, _ begins: Bool) -> Void = { _, _ in }
  ) {
    self.progress = progress
    self.reached = reached
    self.event = event
    self.waits = waits
  }

  /// Says that the load waits while the body runs.
  func waiting<T>(
    for cause: WaitCause, isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> T
  ) async rethrows -> T {
    waits(cause, true)
    defer { waits(cause, false) }
    return try await body()
  }
}

/// What moved since the last call: a difference, so that tables and streams add up.
package struct LoadProgress: Sendable, Equatable {
  package var bytes: Int64
  package var rows: Int64
  package var chunks: Int
  /// Chunks that turned out to be part of this load.
  package var plannedChunks: Int
  /// What the load is doing, such as `staging public.orders`.
  package var note: String

  package init(bytes: Int64 = 0, rows: Int64 = 0, chunks: Int = 0, plannedChunks: Int = 0, note: String) {
    self.bytes = bytes
    self.rows = rows
    self.chunks = chunks
    self.plannedChunks = plannedChunks
    self.note = note
  }
}
