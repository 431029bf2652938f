/// A place in a JSON document: `$`, `$.next`, `$.data[*]`, `$[*].items[*]`.
package struct JSONPath: Sendable, Hashable, CustomStringConvertible {
  package enum Step: Sendable, Hashable {
    case key(String)
    /// Every element of an array.
    case each
  }

  package let steps: [Step]
  package let description: String

  /// - Throws: ``RecordError`` `record_path` for anything but `$`, `.name` and `[*]`.
  package init(_ text: String) throws {
    description = text
    guard text.hasPrefix("$") else { throw Self.refusal(text) }
    var rest = text.dropFirst()
    var steps: [Step] = []
    while let first = rest.first {
      if rest.hasPrefix("[*]") {
        steps.append(.each)
        rest = rest.dropFirst(3)
      } else if first == "." {
        let name = rest.dropFirst().prefix { $0 != "." && $0 != "[" }
        guard !name.isEmpty else { throw Self.refusal(text) }
        steps.append(.key(String(name)))
        rest = rest.dropFirst(1 + name.count)
      } else {
        throw Self.refusal(text)
      }
    }
    self.steps = steps
  }

  private static func refusal(_ text: String) -> RecordError {
    RecordError(
      .recordPath, "\"\(text)\" is no path into a JSON document",
      hint: "write $, $.name or $.name[*], such as $.data[*]")
  }
}

/// Follows one path through a document that streams by.
struct JSONPathTracker {
  let steps: [JSONPath.Step]
  /// How many leading steps the way to the current value agrees with.
  private(set) var matched = 0

  init(_ path: JSONPath) { steps = path.steps }

  /// Whether a value under `depth` open containers is at the path.
  func selects(depth: Int) -> Bool { depth == steps.count && matched == depth }

  /// Whether such a value is the one whose elements the path ends in.
  func selectsList(depth: Int) -> Bool { depth == steps.count - 1 && matched == depth && steps.last == .each }

  mutating func startedMap(depth: Int) { matched = min(matched, depth - 1) }

  mutating func startedArray(depth: Int) { step(depth: depth) { $0 == .each } }

  mutating func key(_ name: UnsafeBufferPointer<UInt8>, depth: Int) {
    step(depth: depth) { step in
      guard case .key(let wanted) = step else { return false }
      return wanted.utf8.elementsEqual(name)
    }
  }

  /// - Parameter depth: Of the container that ends.
  mutating func ended(depth: Int) { matched = min(matched, depth - 1) }

  private mutating func step(depth: Int, agrees: (JSONPath.Step) -> Bool) {
    guard matched >= depth - 1 else { return }
    matched = depth <= steps.count && agrees(steps[depth - 1]) ? depth : depth - 1
  }
}
