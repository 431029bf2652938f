import Curation
import FoundationEssentials
import Glibc
import Ingestion
import JobModel
import Migrations
import Releases
import Synchronization

/// This binary.
enum Engine {
  static let version = "0.1.0"

  static var description: EngineDescription {
    EngineDescription(
      version: version, schema: Migration.all.last?.number ?? 0,
      formats: IngestHandler.formats.union(CurateHandler.formats))
  }

  private static let place = Mutex<String?>(nil)

  /// Where this process's program lay when this was asked first.
  static func path() throws -> String {
    if let path = place.withLock({ $0 }) { return path }
    let path = try realPath()
    place.withLock { $0 = path }
    return path
  }

  private static func realPath() throws -> String {
    guard let path = realpath("/proc/self/exe", nil) else {
      throw StageFailure(code: "no_executable", message: "this program's own path cannot be read from /proc")
    }
    defer { free(path) }
    return String(cString: path)
  }

  /// A program that was started through an open file is listed by the file's number otherwise.
  static func nameProcess() {
    guard let file = fopen("/proc/self/comm", "w") else { return }
    fputs("sluice", file)
    fclose(file)
  }

  private static let known = Mutex<String?>(nil)

  /// The hash of this binary's bytes.
  static func hash(_ engines: EngineStore) async throws -> String {
    if let hash = known.withLock({ $0 }) { return hash }
    // By the descriptor of the running program: the file at its path may be another by now.
    let hash: String
    if let cached = engines.hash(ofCached: try path()) {
      hash = cached
    } else {
      hash = try await EngineStore.hash("/proc/self/exe").sha256
    }
    known.withLock { $0 = hash }
    return hash
  }

  /// Becomes another program; the process stays. Returns only by throwing.
  static func become(_ engine: EngineFile, arguments: [String], adding more: [String: String]) throws -> Never {
    let path = engine.path
    // What this program ignored or blocked is not the next one's.
    for number in [SIGINT, SIGTERM] { signal(number, SIG_DFL) }
    var mask = sigset_t()
    sigemptyset(&mask)
    sigprocmask(SIG_SETMASK, &mask, nil)
    let pointers: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
    let variables = ProcessInfo.processInfo.environment.merging(more) { _, new in new }
    execve(engine.executable, pointers, variables.map { strdup("\($0.key)=\($0.value)") } + [nil])
    let reason = String(cString: strerror(errno))
    for pointer in pointers { free(pointer) }
    throw ReleaseRefusal(
      "engine_failed", "the engine \(path) cannot be started: \(reason)",
      hint: "check that it is a program for this machine")
  }
}
