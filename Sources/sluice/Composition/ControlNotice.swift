import ControlPlane
import Glibc
import Logging
import Synchronization

/// Keeps the control file of this process true, from when its API answers until it ends.
final class ControlNotice: Sendable {
  private struct State: Equatable {
    var url: String?
    var firstWorkers: ControlFile.FirstWorkers?
  }

  private let stateDirectory: String
  private let keepsWorkers: Bool
  private let endsIdle: Bool
  private let follows: ControlFile.Following
  private let logger: Logger
  private let state = Mutex(State())

  init(
    stateDirectory: String, keepsWorkers: Bool, endsIdle: Bool = false, follows: ControlFile.Following, logger: Logger
  ) {
    self.follows = follows
    self.stateDirectory = stateDirectory
    self.keepsWorkers = keepsWorkers
    self.endsIdle = endsIdle
    self.logger = logger
  }

  func answers(at url: String) { change { $0.url = url } }

  func tell(_ standing: WorkerPool.Standing) {
    change { state in
      switch standing {
      // Where none is wanted, none is waited for.
      case .working, .notNeeded: state.firstWorkers = .registered
      case .failing(let reason, let times):
        // Later ones are replaced, and that is in the log.
        if state.firstWorkers != .registered { state.firstWorkers = .failing(reason, times: times) }
      }
    }
  }

  private func change(_ body: (inout State) -> Void) {
    state.withLock { state in
      let before = state
      body(&state)
      guard let url = state.url, state != before else { return }
      do {
        var file = ControlFile(pid: getpid(), url: url, keepsWorkers: keepsWorkers)
        file.firstWorkers = state.firstWorkers
        if endsIdle { file.endsIdle = true }
        file.follows = follows
        try file.write(stateDirectory)
      } catch { logger.error("the control file could not be written", metadata: ["error": "\(error)"]) }
    }
  }
}
