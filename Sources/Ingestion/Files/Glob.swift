/// A pattern of file names: `*` and `?` within a part, `**` for any number of parts.
///
/// As in a shell, neither `*` nor `?` begins a name with a dot.
struct Glob: Sendable {
  private let parts: [[UInt8]]

  init(_ pattern: String) {
    parts = pattern.split(separator: "/").filter { $0 != "." }.map { Array($0.utf8) }
  }

  /// Whether a path relative to the pattern's directory matches.
  func matches(_ path: String) -> Bool {
    Self.match(parts[...], path.split(separator: "/").map { Array($0.utf8) }[...])
  }

  private static func match(_ pattern: ArraySlice<[UInt8]>, _ path: ArraySlice<[UInt8]>) -> Bool {
    guard let first = pattern.first else { return path.isEmpty }
    if first == Array("**".utf8) {
      let rest = pattern.dropFirst()
      return path.indices.contains { match(rest, path[$0...]) } || rest.isEmpty
    }
    guard let name = path.first, matchName(first[...], name[...], isStart: true) else { return false }
    return match(pattern.dropFirst(), path.dropFirst())
  }

  private static func matchName(_ pattern: ArraySlice<UInt8>, _ name: ArraySlice<UInt8>, isStart: Bool) -> Bool {
    guard let sign = pattern.first else { return name.isEmpty }
    let isHidden = isStart && name.first == UInt8(ascii: ".")
    switch sign {
    case UInt8(ascii: "*"):
      if isHidden { return false }
      // The shortest stretch first; patterns are short, so trying all of them is cheap.
      return (name.startIndex...name.endIndex).contains { matchName(pattern.dropFirst(), name[$0...], isStart: false) }
    case UInt8(ascii: "?"):
      // One character, which in UTF-8 may be several bytes.
      guard !isHidden, let first = name.first else { return false }
      let width = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
      return matchName(pattern.dropFirst(), name.dropFirst(width), isStart: false)
    default:
      return name.first == sign && matchName(pattern.dropFirst(), name.dropFirst(), isStart: false)
    }
  }
}
