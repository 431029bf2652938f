import JobModel

/// Every file that a definition consists of: `pipelines/`, `sql/`, `tests/` and `sluice.yaml`.
///
/// It is what a release stores and what a run keeps to its end, so a ``Project`` is always made from a bundle,
/// never from files that may change underneath.
package struct ProjectBundle: Sendable, Equatable {
  package struct File: Sendable, Equatable {
    /// Relative to the project directory, with `/`.
    package var path: String
    package var bytes: [UInt8]
    package init(path: String, bytes: [UInt8]) {
      self.path = path
      self.bytes = bytes
    }
  }

  /// A definition is text and a few small samples; what is larger is data and belongs into a source.
  package static let maximumBytes = 64 * 1_000_000
  private static let header = Array("sluice-bundle/1\n".utf8)

  /// Sorted by the bytes of their paths.
  package let files: [File]

  /// - Precondition: No two files have the same path.
  package init(files: [File]) {
    self.files = files.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    precondition(
      zip(self.files, self.files.dropFirst()).allSatisfy { !$0.path.isExactly($1.path) }, "one path, one file")
  }

  package subscript(path path: String) -> [UInt8]? { files.first { $0.path.isExactly(path) }?.bytes }

  /// One byte string for one content, to be hashed and stored: a header, then for every file a line
  /// `path-length size`, the path, and the bytes.
  package var canonicalBytes: [UInt8] {
    var out = Self.header
    for file in files {
      out += Array("\(file.path.utf8.count) \(file.bytes.count)\n".utf8) + Array(file.path.utf8) + file.bytes
    }
    return out
  }

  /// Reads ``canonicalBytes`` back.
  ///
  /// - Throws: ``DefinitionError`` `bundle_unreadable` where the bytes are not a whole bundle.
  package init(canonicalBytes bytes: [UInt8]) throws {
    var rest = bytes[...]
    guard rest.starts(with: Self.header) else { throw Self.unreadable }
    rest = rest.dropFirst(Self.header.count)
    var files: [File] = []
    while !rest.isEmpty {
      guard let lineEnd = rest.firstIndex(of: UInt8(ascii: "\n")) else { throw Self.unreadable }
      let sizes = String(decoding: rest[..<lineEnd], as: UTF8.self).split(separator: " ").compactMap { Int($0) }
      rest = rest[(lineEnd + 1)...]
      guard sizes.count == 2, sizes.allSatisfy({ $0 >= 0 && $0 <= rest.count }), sizes[0] + sizes[1] <= rest.count
      else { throw Self.unreadable }
      let path = String(decoding: rest.prefix(sizes[0]), as: UTF8.self)
      files.append(File(path: path, bytes: Array(rest.dropFirst(sizes[0]).prefix(sizes[1]))))
      rest = rest.dropFirst(sizes[0] + sizes[1])
    }
    guard Set(files.map { ExactText($0.path) }).count == files.count else { throw Self.unreadable }
    self.init(files: files)
  }

  private static var unreadable: DefinitionError {
    DefinitionError(
      code: "bundle_unreadable", message: "the stored bundle of a definition cannot be read",
      hint: "deploy the project again")
  }
}
