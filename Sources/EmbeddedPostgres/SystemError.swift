import Glibc

/// The system's words for `errno`.
func lastSystemError() -> String { systemError(errno) }

func systemError(_ code: CInt) -> String {
  strerror(code).map { String(cString: $0) } ?? "error \(code)"
}
