#if canImport(Glibc)
  import Glibc
#endif

/// A TCP port that is taken and on which nobody listens: a connection to it is refused, and no other process of the
/// machine can be given it meanwhile.
final class ClosedPort: Sendable {
  private let socket: CInt
  let number: Int

  struct Unavailable: Error { let reason: String }

  init() throws {
    socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard socket >= 0 else { throw Unavailable(reason: "no socket") }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = 0
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let descriptor = socket
    let status = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        bind(descriptor, address, length) == 0 && getsockname(descriptor, address, &length) == 0
      }
    }
    guard status else {
      _ = close(descriptor)
      throw Unavailable(reason: "no free port")
    }
    number = Int(UInt16(bigEndian: address.sin_port))
  }

  deinit { _ = close(socket) }
}
