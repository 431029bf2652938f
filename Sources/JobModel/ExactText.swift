/// A text that equals another only where every byte is the same.
///
/// `String` compares by canonical equivalence: `é` as one scalar equals `é` as two. Names from outside (of files, fields,
/// objects) are bytes to every other program, so two such names are two. Use this as the key of a set or a dictionary of them.
package struct ExactText: Sendable, Hashable, Comparable {
  package let text: String

  package init(_ text: some StringProtocol) { self.text = String(text) }

  package static func == (left: ExactText, right: ExactText) -> Bool { left.text.isExactly(right.text) }

  package static func < (left: ExactText, right: ExactText) -> Bool {
    left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
  }

  package func hash(into hasher: inout Hasher) {
    var text = text
    text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    hasher.combine(0xFF as UInt8)
  }
}

extension StringProtocol {
  /// Whether both have the same bytes, which `==` does not ask for.
  package func isExactly(_ other: some StringProtocol) -> Bool { utf8.elementsEqual(other.utf8) }

  /// The parts between slashes, empty ones included. Splits by scalars: a slash before a combining mark is a slash to the
  /// filesystem, and to `Character` it is not.
  package var pathParts: [String] {
    unicodeScalars.split(separator: "/", omittingEmptySubsequences: false).map { String(String.UnicodeScalarView($0)) }
  }
}
