import FoundationEssentials
import JobModel
import JobWorker
import Logging
import ServiceLifecycle
import UnixSignals

#if canImport(Glibc)
  import Glibc
#endif

/// A service that sends mailings: it embeds the queue, with a job kind of its own.
///
///     mailroom migrate                          the tables of the queue and of the mailroom
///     mailroom send SUBJECT TEMPLATE < NAMES    a mailing to the names on standard input, a line each
///     mailroom serve                            write letters until SIGTERM
@main
struct Mailroom {
  static func main() async throws {
    let environment = ProcessInfo.processInfo.environment
    guard let url = environment["MAILROOM_DATABASE_URL"] else {
      leave(2, "say where the database is: MAILROOM_DATABASE_URL=postgresql://…")
    }
    let logger = Logger(label: "mailroom")
    do {
      let queue = try await Queue.open(
        url, applicationName: "mailroom", pollOnly: environment["SLUICE_POLL_ONLY"] == "1", logger: logger)
      try await MailroomSchema.create(in: queue.database)
      switch Array(CommandLine.arguments.dropFirst()) {
      case ["migrate"]: break
      case let words where words.count == 3 && words[0] == "send":
        let mailing = Mailing(subject: words[1], template: words[2])
        let job = try await mailing.send(to: namesOnStandardInput(), through: queue)
        print(job)
      case ["serve"]: try await serve(queue, environment: environment, logger: logger)
      default: leave(2, "usage: mailroom migrate | send SUBJECT TEMPLATE | serve")
      }
      await queue.close()
    } catch let failure as any Failure {
      leave(1, failure.description)
    }
  }

  /// Does jobs until SIGTERM, which drains: the letters in hand are written, the jobs go back with their checkpoints.
  private static func serve(_ queue: Queue, environment: [String: String], logger: Logger) async throws {
    let handler = MailingHandler(
      database: queue.database,
      pause: environment["MAILROOM_PAUSE_MS"].flatMap { Int64($0) }.map { .milliseconds($0) } ?? .zero)
    let worker = WorkerSettings(slots: 2, timing: try LeaseTiming.configured(environment), engine: "mailroom 1")
    let group = ServiceGroup(
      services: queue.services(handling: [Mailing.jobKind: handler], worker: worker),
      gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
    try await group.run()
  }

  private static func namesOnStandardInput() -> [String] {
    var names: [String] = []
    while let line = readLine() {
      if !line.isEmpty { names.append(line) }
    }
    return names
  }

  private static func leave(_ status: Int32, _ message: String) -> Never {
    _ = "mailroom: \(message)\n".withCString { write(STDERR_FILENO, $0, strlen($0)) }
    exit(status)
  }
}
