import JobModel
import JobStore
import Logging
import Postgres
import Synchronization

/// Keeps a worker's lease: beats, watches its own clock, and gives back leases that nobody here has in hand.
struct LeaseGuard: Sendable {
  /// How often the session and the clock are looked at between beats.
  private static let look = Duration.milliseconds(200)

  private let session: WorkerSession
  private let running: RunningAttempts
  private let timing: LeaseTiming
  private let logger: Logger
  private let keeper: SharedKeeper
  private let clock = ContinuousClock()
  private let thread: BeatThread

  /// - Parameter thread: Which ``beat()`` and ``watch()`` run on.
  init(
    _ session: WorkerSession, running: RunningAttempts, timing: LeaseTiming,
    registeredAt: ContinuousClock.Instant, thread: BeatThread, logger: Logger
  ) {
    self.thread = thread
    self.session = session
    self.running = running
    self.timing = timing
    self.logger = logger
    keeper = SharedKeeper(LeaseKeeper(lease: timing.lease, registeredAt: registeredAt))
  }

  /// Beats until cancelled; a session that is lost is noticed at once and replaced.
  ///
  /// - Throws: ``SchemaError`` when a newer engine has changed the schema in a way that this one cannot live with.
  func beat() async throws {
    var unknown = WorkerSession.Unknown()
    while true {
      var sentAt = clock.now
      do {
        let answer: JobStore.BeatAnswer
        (sentAt, answer) = try await session.beat(draining: running.isDraining)
        // Before anything else is asked of the database, which may be slow to answer that.
        keeper.answered(sentAt: sentAt, accepted: answer.isAccepted)
        if answer == .accepted(isAskedToDrain: true) { running.drain() }
        if answer.isAccepted {
          let end = max(sentAt + timing.beat, clock.now + timing.beat / 2)
          unknown = try await session.look(running, suspected: unknown, until: end)
        }
      } catch let error as PostgresError where error.kind == .cancelled {
        logger.info("the database was slow; the next beat comes first", metadata: ["error": "\(error)"])
      } catch let error as PostgresError where error.isTransient {
        running.heard(error, at: clock.now)
        logger.warning("a beat was not accepted; trying another connection", metadata: ["error": "\(error)"])
        await session.discardConnection()
      }
      var isAlive = await session.isAlive
      while isAlive, sentAt.duration(to: clock.now) < timing.beat {
        try await thread.pause(for: min(Self.look, timing.beat))
        isAlive = await session.isAlive
      }
      if !isAlive { try await thread.pause(for: min(Self.look, timing.beat)) }
    }
  }

  /// Ends with ``WorkerRevoked`` as soon as the worker can no longer rely on its lease, whatever a beat waits for. Until then it notes
  /// what the process has in memory, and ends what would hold up the next beat.
  func watch() async throws {
    while keeper.holds(at: clock.now) {
      if let bytes = ProcessMemory.resident() { running.noteMemory(bytes) }
      session.endLook(at: clock.now)
      try await thread.pause(for: min(Self.look, timing.beat))
    }
    // From this thread: whoever waits for the error may be behind a handler that blocks the others.
    running.drain()
    running.cancelAll()
    throw WorkerRevoked()
  }

  /// The keeper, shared by the one who beats and the one who watches.
  private final class SharedKeeper: Sendable {
    private let state: Mutex<LeaseKeeper<ContinuousClock.Instant>>

    init(_ keeper: LeaseKeeper<ContinuousClock.Instant>) { state = Mutex(keeper) }

    func answered(sentAt: ContinuousClock.Instant, accepted: Bool) {
      state.withLock { $0.answered(sentAt: sentAt, accepted: accepted) }
    }

    func holds(at now: ContinuousClock.Instant) -> Bool { state.withLock { $0.holds(at: now) } }
  }
}
