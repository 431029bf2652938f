import JobModel

/// A pattern of file names: `*` and `?` within a part, `**` for any number of parts.
///
/// As in a shell, neither `*` nor `?` begins a name with a dot. `?` is one Unicode scalar.
///
/// A match takes at most the product of both lengths in steps, whatever the pattern: after a mismatch only the latest
/// wildcard takes one more.
struct Glob: Sendable {
  private static let anyParts: [Unicode.Scalar] = ["*", "*"]

  private let parts: [[Unicode.Scalar]]

  init(_ pattern: String) {
    parts = pattern.pathParts.filter { !$0.isEmpty && !$0.isExactly(".") }.map { Array($0.unicodeScalars) }
  }

  /// Whether a path relative to the pattern's directory matches.
  func matches(_ path: String) -> Bool {
    let names = path.pathParts.filter { !$0.isEmpty }.map { Array($0.unicodeScalars) }
    return Self.matches(parts, names, isWildcard: { $0 == Self.anyParts }, agrees: Self.matchesName)
  }

  private static func matchesName(_ pattern: [Unicode.Scalar], _ name: [Unicode.Scalar]) -> Bool {
    if name.first == ".", let first = pattern.first, first == "*" || first == "?" { return false }
    return matches(pattern, name, isWildcard: { $0 == "*" }, agrees: { $0 == "?" || $0 == $1 })
  }

  /// Whether the elements agree one by one, where a wildcard stands for any number of them.
  private static func matches<Element>(
    _ pattern: [Element], _ elements: [Element], isWildcard: (Element) -> Bool, agrees: (Element, Element) -> Bool
  ) -> Bool {
    var (at, position) = (0, 0)
    /// The latest wildcard, and the element that follows what it stands for.
    var wildcard: (at: Int, position: Int)?
    while position < elements.count {
      if at < pattern.count, isWildcard(pattern[at]) {
        wildcard = (at, position)
        at += 1
      } else if at < pattern.count, agrees(pattern[at], elements[position]) {
        at += 1
        position += 1
      } else if let latest = wildcard {
        wildcard = (latest.at, latest.position + 1)
        (at, position) = (latest.at + 1, latest.position + 1)
      } else {
        return false
      }
    }
    return pattern[at...].allSatisfy(isWildcard)
  }
}
