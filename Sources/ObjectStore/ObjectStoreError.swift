import JobModel

#if canImport(Glibc)
  import Glibc
#endif

/// Why an object could not be written, read or found.
package struct ObjectStoreError: Failure, Equatable {
  package enum Code: String, Sendable {
    case objectKey = "object_key"
    case objectExists = "object_exists"
    case objectMissing = "object_missing"
    case diskFull = "disk_full"
    case storageDenied = "storage_denied"
    case storageFailed = "storage_failed"
    case notSupported = "not_supported"
  }

  package let kind: Code
  package let message: String
  package let hint: String?

  package init(_ kind: Code, _ message: String, hint: String? = nil) {
    self.kind = kind
    self.message = message
    self.hint = hint
  }

  package var code: String { kind.rawValue }

  package var isTransient: Bool {
    switch kind {
    case .diskFull, .storageFailed: true
    case .objectKey, .objectExists, .objectMissing, .storageDenied, .notSupported: false
    }
  }

  /// Translates `errno` once, for an operation (`"write"`) on a path.
  ///
  /// - Parameter directory: What a full disk is named by.
  static func system(_ number: Int32, _ operation: String, path: String, directory: String) -> ObjectStoreError {
    let reason = String(cString: strerror(number))
    return switch number {
    case ENOSPC, EDQUOT:
      ObjectStoreError(
        .diskFull, "the disk of \(directory) is full",
        hint: "free space there or point `storage` to another disk; nothing partial was kept")
    case EROFS:
      ObjectStoreError(
        .storageDenied, "cannot \(operation) \(path): \(reason)",
        hint: "the file system of \(directory) is mounted read-only: mount it writable, or point `storage` elsewhere")
    case EACCES, EPERM:
      ObjectStoreError(
        .storageDenied, "cannot \(operation) \(path): \(reason)",
        hint: "let the user of this process write to \(directory)")
    default:
      ObjectStoreError(.storageFailed, "cannot \(operation) \(path): \(reason)")
    }
  }
}
