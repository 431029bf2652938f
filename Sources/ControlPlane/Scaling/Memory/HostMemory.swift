import FoundationEssentials

/// The memory that this process shares: of the machine, or of the cgroup that leaves it the least.
package struct HostMemory: Sendable, Equatable {
  /// Nil: not known.
  package var limitBytes: Double?
  /// The smallest limit of all, however much is free within it: what no process here can exceed; nil: not known.
  package private(set) var leastLimitBytes: Double?
  /// Without what is cached of files and can be given up.
  package var usedBytes: Double = 0
  /// The share of time in which some task waited for memory, over 10 seconds: 0...1; nil: the kernel does not say.
  package var pressure: Double?

  package init(limitBytes: Double? = nil, usedBytes: Double = 0, pressure: Double? = nil) {
    self.limitBytes = limitBytes
    leastLimitBytes = limitBytes
    self.usedBytes = usedBytes
    self.pressure = pressure
  }

  /// Reads `/proc` and `/sys/fs/cgroup`, versions 1 and 2.
  package static func now() -> HostMemory {
    HostMemory { path in FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } }
  }

  /// - Parameter read: The text of a file; nil where there is none.
  init(reading read: (String) -> String?) {
    var tightest = Self.machine(read)
    let cgroups = read("/proc/self/cgroup").map(MemoryText.cgroups)
    if let path = cgroups?.unified {
      for folder in MemoryText.ancestors(of: path).map({ "/sys/fs/cgroup" + $0 }) {
        tightest = Self.tighter(tightest, Self.unified(folder, read))
      }
    }
    if let path = cgroups?.memory {
      for folder in MemoryText.ancestors(of: path).map({ "/sys/fs/cgroup/memory" + $0 }) {
        tightest = Self.tighter(tightest, Self.legacy(folder, read))
      }
    }
    self = tightest
    pressure = pressure ?? read("/proc/pressure/memory").flatMap(MemoryText.pressure)
  }

  private static func machine(_ read: (String) -> String?) -> HostMemory {
    let sizes = read("/proc/meminfo").map(MemoryText.meminfo) ?? [:]
    guard let total = sizes["MemTotal"] else { return HostMemory() }
    return HostMemory(limitBytes: total, usedBytes: max(0, total - (sizes["MemAvailable"] ?? total)))
  }

  /// Version 2. `memory.high` is a limit too: above it the kernel slows its processes down.
  private static func unified(_ folder: String, _ read: (String) -> String?) -> HostMemory? {
    let limits = ["memory.max", "memory.high"].compactMap { read("\(folder)/\($0)").flatMap(MemoryText.amount) }
    guard let limit = limits.min() else { return nil }
    let cached = read("\(folder)/memory.stat").map(MemoryText.stat)?["inactive_file"] ?? 0
    let used = read("\(folder)/memory.current").flatMap(MemoryText.amount) ?? 0
    return HostMemory(
      limitBytes: limit, usedBytes: max(0, used - cached),
      pressure: read("\(folder)/memory.pressure").flatMap(MemoryText.pressure))
  }

  private static func legacy(_ folder: String, _ read: (String) -> String?) -> HostMemory? {
    guard let limit = read("\(folder)/memory.limit_in_bytes").flatMap(MemoryText.amount) else { return nil }
    let cached = read("\(folder)/memory.stat").map(MemoryText.stat)?["total_inactive_file"] ?? 0
    let used = read("\(folder)/memory.usage_in_bytes").flatMap(MemoryText.amount) ?? 0
    return HostMemory(limitBytes: limit, usedBytes: max(0, used - cached))
  }

  /// Of two the one that leaves less.
  private static func tighter(_ one: HostMemory, _ other: HostMemory?) -> HostMemory {
    guard let other, let limit = other.limitBytes else { return one }
    guard let first = one.limitBytes else { return other }
    var tighter = limit - other.usedBytes < first - one.usedBytes ? other : one
    tighter.leastLimitBytes = [one.leastLimitBytes, other.leastLimitBytes].compactMap { $0 }.min()
    return tighter
  }
}
