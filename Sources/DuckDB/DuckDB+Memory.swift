import Glibc

/// What a child takes of the machine's memory.
extension DuckDB {
  /// How often a child is looked at, in its first second and after it; its high-water mark is the kernel's, so that nothing between
  /// two looks is missed but the end.
  private static let looks = (first: Duration.milliseconds(20), later: Duration.milliseconds(200))

  /// The same, and tells what each child took at most so far, in bytes: now and then, and before it ends.
  package func telling(memory: @escaping @Sendable (Int64) -> Void) -> DuckDB {
    var copy = self
    copy.tellMemory = memory
    return copy
  }

  func watchingMemory<T: Sendable>(of child: pid_t, _ body: () async throws -> T) async throws -> T {
    guard let tellMemory else { return try await body() }
    let tell: @Sendable () -> Void = {
      if let bytes = Self.highWater(of: child) { tellMemory(bytes) }
    }
    let watch = Task { [clock] in
      var looks = 0
      while true {
        tell()
        looks += 1
        try await clock.sleep(for: looks < 50 ? Self.looks.first : Self.looks.later)
      }
    }
    defer {
      watch.cancel()
      tell()
    }
    return try await body()
  }

  /// Makes the kernel end this child before any other process where the machine has no memory left: a worker does not die of its child.
  /// Every process may raise its own mark, and that of a child of its own user; one that has ended needs none.
  static func endsFirst(_ child: pid_t) {
    guard let file = fopen("/proc/\(child)/oom_score_adj", "w") else { return }
    fputs("1000", file)
    fclose(file)
  }

  /// The most that a process had in memory; nil once it has ended.
  private static func highWater(of child: pid_t) -> Int64? {
    guard let file = fopen("/proc/\(child)/status", "r") else { return nil }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, Int32(line.count), file) != nil {
      let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      guard text.hasPrefix("VmHWM:") else { continue }
      return Int64(text.split(whereSeparator: \.isWhitespace)[1]).map { $0 * 1024 }
    }
    return nil
  }
}
