import JobModel

/// Opens the store that a location names: `file:PATH` (relative to the project directory, or absolute).
///
/// - Throws: ``ObjectStoreError`` `not_supported` for `s3://…` and whatever else is not a local directory.
package func openObjectStore(location: String, projectDirectory: String) throws -> any ObjectStore {
  if location.hasPrefix("s3:") {
    throw ObjectStoreError(
      .notSupported, "the storage location \"\(location)\" is not supported yet",
      hint: "use a local directory: file:PATH")
  }
  guard location.hasPrefix("file:") else {
    throw ObjectStoreError(
      .notSupported, "the storage location \"\(location)\" is of no known kind", hint: "write file:PATH")
  }
  var path = String(location.dropFirst("file:".count))
  if path.hasPrefix("//") { path.removeFirst(2) }
  guard !path.isEmpty else {
    throw ObjectStoreError(.notSupported, "the storage location \"\(location)\" has no path", hint: "write file:PATH")
  }
  guard path.utf8.first == UInt8(ascii: "/") || !path.pathParts.contains(where: { $0.isExactly("..") }) else {
    throw ObjectStoreError(
      .notSupported, "the storage location \"\(location)\" leads out of the project",
      hint: "write an absolute path, such as file:/data/storage")
  }
  return LocalObjectStore(root: path.hasPrefix("/") ? path : projectDirectory + "/" + path)
}
