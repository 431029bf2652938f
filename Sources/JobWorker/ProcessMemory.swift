#if canImport(Glibc)
  import Glibc
#endif

/// What this process takes of the machine's memory.
enum ProcessMemory {
  /// Resident bytes; nil where `/proc` does not say.
  static func resident() -> Int64? {
    guard let file = fopen("/proc/self/statm", "r") else { return nil }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 128)
    guard fgets(&line, Int32(line.count), file) != nil else { return nil }
    // All that is mapped, then what is resident, in pages.
    let numbers = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).split(
      separator: " ")
    return numbers.count > 1 ? Int64(numbers[1]).map { $0 * Int64(sysconf(Int32(_SC_PAGESIZE))) } : nil
  }
}
