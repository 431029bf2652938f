import JobModel

/// The name of an object: parts separated by `/`, none of which leads out of the store.
package struct ObjectKey: Sendable, Hashable, Comparable, CustomStringConvertible, ExpressibleByStringLiteral {
  /// What S3 allows; a local path is bounded by the filesystem as well.
  package static let maximumBytes = 1024
  /// What a name of the usual filesystems may have.
  package static let maximumPartBytes = 255

  package let text: String

  /// - Throws: ``ObjectStoreError`` `object_key` for an empty key or part, `.`, `..`, a part that begins with a dot (the
  ///   store's own files), control characters, or a key that is too long.
  package init(_ text: String) throws {
    guard let fault = Self.fault(of: text) else {
      self.text = text
      return
    }
    throw ObjectStoreError(
      .objectKey, "the object key \"\(text)\" \(fault)",
      hint: "use parts of visible characters, separated by single slashes")
  }

  /// For keys in the source code; a key from elsewhere goes through the throwing initialiser.
  package init(stringLiteral text: String) {
    precondition(Self.fault(of: text) == nil, "a literal object key must be valid")
    self.text = text
  }

  package var description: String { text }

  /// Everything up to the last slash; nil for a key of one part.
  package var folder: String? { text.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(text[..<$0]) } }

  package static func == (left: ObjectKey, right: ObjectKey) -> Bool { left.text.isExactly(right.text) }
  package func hash(into hasher: inout Hasher) { hasher.combine(ExactText(text)) }

  package static func < (left: ObjectKey, right: ObjectKey) -> Bool {
    left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
  }

  private static func fault(of text: String) -> String? {
    guard text.utf8.count <= maximumBytes else { return "is longer than \(maximumBytes) bytes" }
    guard !text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else { return "has a control character" }
    for part in text.pathParts {
      if part.isEmpty { return "has an empty part" }
      if part.utf8.first == UInt8(ascii: ".") { return "has a part that begins with a dot" }
      if part.utf8.count > maximumPartBytes { return "has a part longer than \(maximumPartBytes) bytes" }
    }
    return nil
  }
}
