import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// A writer that appends five bytes to a file, once, while somebody reads it.
final class Growth: Sendable {
  private let path: String
  private let isDone = Atomic(false)

  init(path: String) { self.path = path }

  func once() {
    guard !isDone.exchange(true, ordering: .relaxed), let file = fopen(path, "ab") else { return }
    fputs("more\n", file)
    fclose(file)
  }
}
