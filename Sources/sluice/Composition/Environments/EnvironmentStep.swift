import FoundationEssentials
import Glibc

/// A step of making or removing an environment at which a test ends the process: `SLUICE_KILL_AT=NAME`.
enum EnvironmentStep: String, CaseIterable {
  case registered = "env.registered"
  case cloned = "env.cloned"
  case marked = "env.marked"
  case named = "env.named"
  case stored = "env.stored"
  case announced = "env.announced"
  case emptied = "env.emptied"
  case dropped = "env.dropped"
  case cleared = "env.cleared"
  /// Of `env promote`: the data files are in the model's storage.
  case brought = "env.brought"

  /// Whether it belongs to `env up`.
  var makes: Bool {
    switch self {
    case .registered, .cloned, .marked, .named, .stored: true
    case .announced, .emptied, .dropped, .cleared, .brought: false
    }
  }

  /// Whether it belongs to `env down`.
  var removes: Bool { !makes && self != .brought }

  func pass() {
    guard ProcessInfo.processInfo.environment["SLUICE_KILL_AT"] == rawValue else { return }
    kill(getpid(), SIGKILL)
  }
}
