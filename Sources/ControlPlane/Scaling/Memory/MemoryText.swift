/// What the kernel's files say of memory. Pure: the texts come from the caller. Sizes are bytes.
enum MemoryText {
  /// A cgroup without a limit says in version 1 the largest number of whole pages; no machine has as much.
  private static let unlimited = 0x1p60

  /// The lines `NAME: NUMBER kB` of `/proc/meminfo`, in bytes.
  static func meminfo(_ text: String) -> [String: Double] {
    lines(text).reduce(into: [:]) { sizes, line in
      let words = line.split(separator: " ")
      guard words.count >= 2, words[0].hasSuffix(":"), let number = Double(words[1]), number.isFinite, number >= 0
      else {
        return
      }
      sizes[String(words[0].dropLast())] = words.count > 2 && words[2] == "kB" ? number * 1024 : number
    }
  }

  /// The lines `NAME NUMBER` of `memory.stat`.
  static func stat(_ text: String) -> [String: Double] {
    lines(text).reduce(into: [:]) { sizes, line in
      let words = line.split(separator: " ")
      if words.count == 2, let number = Double(words[1]), number.isFinite, number >= 0 {
        sizes[String(words[0])] = number
      }
    }
  }

  /// The one number of a file such as `memory.max`; nil where there is no limit.
  static func amount(_ text: String) -> Double? {
    guard let word = text.split(whereSeparator: \.isWhitespace).first, let number = Double(word), number.isFinite,
      number >= 0, number < unlimited
    else { return nil }
    return number
  }

  /// The share of time in which some task waited for memory, over 10 seconds: 0...1.
  static func pressure(_ text: String) -> Double? {
    for line in lines(text) where line.hasPrefix("some ") {
      guard let field = line.split(separator: " ").first(where: { $0.hasPrefix("avg10=") }),
        let percent = Double(field.dropFirst(6)), percent.isFinite
      else { return nil }
      return min(max(percent / 100, 0), 1)
    }
    return nil
  }

  /// The paths of this process in `/proc/self/cgroup`: of version 2, and of the memory controller of version 1.
  static func cgroups(_ text: String) -> (unified: String?, memory: String?) {
    var paths: (unified: String?, memory: String?) = (nil, nil)
    for line in lines(text) {
      // NUMBER:CONTROLLERS:PATH; a path may have colons.
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3, parts[2].hasPrefix("/") else { continue }
      if parts[0] == "0", parts[1].isEmpty { paths.unified = String(parts[2]) }
      if parts[1].split(separator: ",").contains("memory") { paths.memory = String(parts[2]) }
    }
    return paths
  }

  /// A path and those above it, the root last and empty: `/a/b`, `/a`, ``.
  static func ancestors(of path: String) -> [String] {
    let parts = path.split(separator: "/").filter { $0 != ".." }
    return (0...parts.count).reversed().map { count in parts.prefix(count).map { "/" + $0 }.joined() }
  }

  private static func lines(_ text: String) -> [Substring] { text.split(separator: "\n") }
}
