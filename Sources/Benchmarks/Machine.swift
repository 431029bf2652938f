import FoundationEssentials
import Glibc

/// What the figures were measured on: absolute numbers mean little without it.
package struct Machine: Sendable {
  package var processor: String
  package var processors: Int
  package var memoryBytes: Int64
  package var kernel: String
  /// Of this program: an unoptimised build measures nothing but itself.
  package var build: String
  /// What others did on the machine before the run began, as a share of all processors.
  package var busyBefore: Double
  /// The median time to write 8 KiB and have them on the disk that the scratch folder is on.
  package var syncMilliseconds: Double
  package var server: [(name: String, value: String)]

  /// Looks at the machine for a second.
  package static func examine(folder: String, server: [(name: String, value: String)]) async throws -> Machine {
    let clock = ContinuousClock()
    let before = processorTime()
    try await clock.sleep(for: .seconds(1))
    let after = processorTime()
    let all = after.all - before.all
    return Machine(
      processor: processorName(), processors: ProcessInfo.processInfo.activeProcessorCount,
      memoryBytes: Int64(ProcessInfo.processInfo.physicalMemory), kernel: text("/proc/sys/kernel/osrelease"),
      build: buildKind, busyBefore: all > 0 ? (after.busy - before.busy) / all : 0,
      syncMilliseconds: try syncMilliseconds(folder), server: server)
  }

  #if DEBUG
    private static let buildKind = "debug"
  #else
    private static let buildKind = "release"
  #endif

  private static func text(_ path: String) -> String {
    let bytes = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    return String(bytes.prefix { $0 != "\n" })
  }

  private static func processorName() -> String {
    let information = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    let line = information.split(separator: "\n").first { $0.hasPrefix("model name") }
    return line?.split(separator: ":").last.map { String($0.drop { $0 == " " }) } ?? "unknown"
  }

  /// The first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal, in ticks.
  private static func processorTime() -> (busy: Double, all: Double) {
    let ticks = text("/proc/stat").split(separator: " ").dropFirst().prefix(8).compactMap { Double($0) }
    guard ticks.count == 8 else { return (0, 0) }
    let all = ticks.reduce(0, +)
    return (all - ticks[3] - ticks[4], all)
  }

  private static func syncMilliseconds(_ folder: String) throws -> Double {
    let path = folder + "/sync"
    let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw BenchError("no_scratch", "\(path) cannot be written") }
    defer {
      close(file)
      unlink(path)
    }
    let page = [UInt8](repeating: 7, count: 8192)
    let times = (0..<200).map { _ in
      let start = ContinuousClock.now
      _ = pwrite(file, page, page.count, 0)
      fdatasync(file)
      return start.duration(to: .now).milliseconds
    }
    return Samples(times).median
  }
}

extension Duration {
  var milliseconds: Double { Double(components.seconds) * 1e3 + Double(components.attoseconds) / 1e15 }
  var seconds: Double { milliseconds / 1e3 }
}
