import FoundationEssentials
import Logging

/// Where log lines go.
enum Logs {
  /// For verbs that a person waits for: only what someone must act on.
  static var quiet: Logger { logger(level: configuredLevel ?? .error) }

  /// For processes that run on their own: their log file is read later.
  static var service: Logger { logger(level: configuredLevel ?? .info) }

  /// Of the whole process, whatever the logger.
  private static let memory = LogMemory()

  private static func logger(level: Logger.Level) -> Logger {
    var logger = Logger(label: "sluice") {
      CalmLogHandler(StreamLogHandler(label: $0, stream: LogStream()), memory: memory)
    }
    logger.logLevel = level
    return logger
  }

  private static var configuredLevel: Logger.Level? {
    ProcessInfo.processInfo.environment["SLUICE_LOG"].flatMap(Logger.Level.init(rawValue:))
  }
}
