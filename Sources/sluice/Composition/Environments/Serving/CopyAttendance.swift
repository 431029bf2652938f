import JobModel
import JobStore
import Logging
import PipelineDefinition
import Postgres
import ServiceLifecycle

/// Says in the database of an environment that `env up` made that a control process serves it, by an advisory lock, and ends a process that was
/// started because of work when there is none left.
struct CopyAttendance: Service {
  /// Between two looks, and where only the lock counts.
  private static let tick = Duration.seconds(1)
  private static let idleTick = Duration.seconds(5)
  /// A next command within this time finds workers.
  private static let patience = Duration.seconds(3)
  /// A job that is due within this time is waited for.
  private static let soon = 10.0
  /// Jobs are ready, and none was begun in this time: nothing here can do them, and others wait for the place.
  private static let stall = Duration.seconds(300)

  let installation: Installation
  let endsIdle: Bool
  private let first: PostgresConnection?

  private var clock: ContinuousClock { ContinuousClock() }

  /// - Throws: ``Refusal`` `already_up` to a process that would only be a second one.
  static func begin(_ installation: Installation, endsIdle: Bool) async throws -> CopyAttendance? {
    guard installation.project.copy != nil, !installation.settings.isPooled else { return nil }
    let session = try await PostgresConnection.connect(installation.settings)
    do {
      if try await ServingLocks.takeServed(on: session) {
        return CopyAttendance(installation: installation, endsIdle: endsIdle, first: session)
      }
    } catch {
      await session.close()
      throw error
    }
    await session.close()
    guard !endsIdle else { throw Refusal.alreadyUp(installation.project) }
    return CopyAttendance(installation: installation, endsIdle: endsIdle, first: nil)
  }

  func run() async throws {
    // A graceful shutdown ends the waiting by cancellation; that is no failure of the service.
    do { try await cancelWhenGracefulShutdown { try await attend() } } catch is CancellationError {}
  }

  private func attend() async throws {
    var session = first
    while true {
      do {
        let current: PostgresConnection
        if let session {
          current = session
        } else {
          current = try await PostgresConnection.connect(installation.settings)
        }
        session = current
        if try await ServingLocks.takeServed(on: current) {
          if try await stay(current) {
            await current.close()
            return installation.logger.info("the environment is idle; its processes end")
          }
        } else if endsIdle {
          await current.close()
          return installation.logger.info("another process serves the environment; this one ends")
        }
      } catch let error as any Failure where error.isTransient {
        await session?.close()
        session = nil
      }
      try await clock.sleep(for: Self.idleTick)
    }
  }

  /// Holds the lock. Returns true when there is nothing to do.
  private func stay(_ session: PostgresConnection) async throws -> Bool {
    var idleSince: ContinuousClock.Instant?
    var stalledSince: ContinuousClock.Instant?
    while true {
      let demand = try await JobStore.demand(of: ServingLocks.stages, on: session)
      let now = clock.now
      let hasWork =
        demand.isReady || demand.isRunning || demand.dueSeconds.map { $0 < Self.soon } ?? false
      idleSince = hasWork ? nil : idleSince ?? now
      stalledSince = demand.isReady && !demand.isRunning ? stalledSince ?? now : nil
      if endsIdle {
        if let idleSince, idleSince.duration(to: now) >= Self.patience { return true }
        if let stalledSince, stalledSince.duration(to: now) >= Self.stall {
          throw StageFailure(
            code: "nothing_runs",
            message: "jobs are ready in the environment \(installation.environment), and none runs",
            hint: "see why: sluice status --env \(installation.environment)")
        }
      }
      try await clock.sleep(for: endsIdle ? Self.tick : Self.idleTick)
    }
  }
}
