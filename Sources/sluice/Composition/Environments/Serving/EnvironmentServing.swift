import FoundationEssentials
import JobModel
import JobStore
import Logging
import Postgres
import ServiceLifecycle

/// Serves all environments that `env up` made next to the control database: one that gets work gets a control process with workers, until it
/// is idle again. An idle one has neither a process nor a connection nor a timer.
///
/// Of several control processes of the folder one does so, by an advisory lock. Two sessions serve all environments: one asks, one listens.
/// Without environments there is the one that asks.
struct EnvironmentServing: Service {
  /// What is enqueued by SQL is found within ten seconds: by the look after the server has counted it.
  private static let tick = Duration.seconds(5)
  /// Where processes run or environments wait for them.
  private static let busyTick = Duration.seconds(1)
  /// Each has a control process and workers, whose jobs share the processors.
  private static let perProcessor = 4
  /// Sessions of a control process with one worker: fourteen, and those into its target.
  private static let connections = 20

  let installation: Installation
  /// Whether another program takes over the processes at the end.
  let leavesProcesses: @Sendable () -> Bool

  private var clock: ContinuousClock { ContinuousClock() }
  private var logger: Logger { installation.logger }

  func run() async throws {
    let processes = ServingProcesses(directory: installation.directory, logger: logger)
    // A graceful shutdown ends the waiting by cancellation; that is no failure of the service.
    do { try await cancelWhenGracefulShutdown { try await keep(processes) } } catch is CancellationError {}
    guard !leavesProcesses() else { return }
    // In a task of its own: the group is shutting down, and that must not cut it off.
    await Task { await processes.stopAll() }.value
  }

  private func keep(_ processes: ServingProcesses) async throws {
    while true {
      do { try await lead(processes) } catch is CancellationError {
        throw CancellationError()
      } catch {
        // Away for a moment: the next turn finds the database again, and other services tell of it.
        if (error as? any Failure)?.isTransient != true {
          logger.warning("environments could not be served", metadata: ["error": "\(error)"])
        }
      }
      try await clock.sleep(for: Self.tick)
    }
  }

  /// Serves until a session ends; returns at once where another process serves.
  private func lead(_ processes: ServingProcesses) async throws {
    let (owner, url) = try await installation.environmentOwner()
    let settings = try PostgresSettings(url, applicationName: ServingLocks.applicationName, options: ["jit": "off"])
    let session = try await PostgresConnection.connect(settings)
    do {
      if try await ServingLocks.lead(installation.directory, on: session) {
        try await serve(owner, url, settings, session, processes)
      }
    } catch {
      await session.close()
      throw error
    }
    await session.close()
  }

  private func serve(
    _ owner: String, _ url: String, _ settings: PostgresSettings, _ session: PostgresConnection,
    _ processes: ServingProcesses
  ) async throws {
    let inbox = ServingInbox()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await listen(settings, inbox) }
      group.addTask {
        let environments = ServedEnvironments(owner: owner, directory: installation.directory)
        var state = ServingState(most: 1)
        while true {
          try await look(&state, environments, url, session, inbox, processes)
          if !state.environments.isEmpty { inbox.isWanted.set() }
          await inbox.wait(atMost: state.isBusy ? Self.busyTick : Self.tick)
          try Task.checkCancellation()
        }
      }
      defer { group.cancelAll() }
      _ = try await group.next()
    }
  }

  /// From when there are environments.
  private func listen(_ settings: PostgresSettings, _ inbox: ServingInbox) async throws {
    await inbox.isWanted.wait()
    let news = try await PostgresNotifications.listen(on: [ServingLocks.channel], settings)
    do { for try await notification in news { inbox.put(notification.payload) } } catch {
      await news.close()
      throw error
    }
    await news.close()
  }

  private func look(
    _ state: inout ServingState, _ environments: ServedEnvironments, _ url: String, _ session: PostgresConnection,
    _ inbox: ServingInbox, _ processes: ServingProcesses
  ) async throws {
    let found = try await environments.look(session)
    processes.adopt(found.filter(\.isServed).map(\.name))
    let (running, ended) = processes.look()
    for name in inbox.take() { state.woken(name) }
    for (name, well) in ended {
      if !well {
        logger.warning(
          "the process of an environment failed; it is started again after a pause while there is work",
          metadata: [
            "environment": "\(name)",
            "log": "\(Installation.stateDirectory(installation.directory, environment: name))/logs/control.log",
          ])
      }
      state.ended(name, well: well, at: clock.now)
    }
    for seen in state.looked(found, running: running, at: clock.now) {
      guard let demand = try await ask(seen, url) else { continue }
      state.asked(seen.token, demand, at: clock.now)
    }
    guard state.waiting > 0 else { return }
    let room = try await environments.connections(found, session) / Self.connections
    state.most = max(1, min(room, Self.perProcessor * ProcessInfo.processInfo.activeProcessorCount))
    for seen in state.starts(at: clock.now) {
      do { try processes.start(seen.name) } catch {
        logger.warning(
          "an environment could not be served", metadata: ["environment": "\(seen.name)", "error": "\(error)"])
        state.ended(seen.name, well: false, at: clock.now)
      }
    }
  }

  /// Over a session that ends with the question. Nil where it cannot be told, as where the environment is being removed.
  private func ask(_ seen: ServingState.Seen, _ url: String) async throws -> QueueDemand? {
    do {
      let session = try await PostgresConnection.connect(
        PostgresSettings(
          try PostgresSettings.conninfo(url, database: seen.database), applicationName: ServingLocks.applicationName,
          options: ["jit": "off"], statementTimeout: .seconds(5)))
      do {
        let demand = try await JobStore.demand(of: ServingLocks.stages, on: session)
        await session.close()
        return demand
      } catch {
        await session.close()
        throw error
      }
    } catch let error as PostgresError {
      // Where the server is away, the next look says so: one database that refuses sessions keeps the others from nothing.
      logger.debug(
        "an environment could not be asked for its work",
        metadata: ["environment": "\(seen.name)", "error": "\(error)"])
      return nil
    }
  }
}
