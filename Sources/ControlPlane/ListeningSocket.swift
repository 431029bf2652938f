import JobModel

#if canImport(Glibc)
  import Glibc
#endif

/// A socket on loopback that outlives the server that accepts from it: a process that becomes another program hands it on, and
/// a client that connects in between waits in its queue instead of being refused.
package final class ListeningSocket: Sendable {
  /// Names the descriptor to the program that this process becomes.
  package static let variable = "SLUICE_LISTEN_FD"
  private static let backlog: Int32 = 512

  package let descriptor: Int32
  package let port: Int

  private init(descriptor: Int32, port: Int) {
    self.descriptor = descriptor
    self.port = port
  }

  deinit { close(descriptor) }

  package var url: String { "http://127.0.0.1:\(port)" }

  /// The one that was handed on, else a new one.
  ///
  /// The API speaks HTTP without TLS: its token must not cross a network, so it listens on loopback and nowhere else.
  ///
  /// - Parameters:
  ///   - address: An IPv4 address in its usual form.
  ///   - port: 0 for one that is free.
  /// - Throws: `StageFailure` `not_loopback`, `port_taken`.
  package static func open(
    address: String = "127.0.0.1", port: Int, environment: [String: String]
  ) throws -> ListeningSocket {
    if let text = environment[variable], let descriptor = Int32(text), let bound = Self.address(of: descriptor) {
      try requireLoopback(bound.sin_addr.s_addr)
      // Programs that this one starts do not get it.
      _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
      return ListeningSocket(descriptor: descriptor, port: Self.port(bound))
    }
    var wanted = sockaddr_in()
    wanted.sin_family = sa_family_t(AF_INET)
    wanted.sin_port = in_port_t(truncatingIfNeeded: port).bigEndian
    guard inet_pton(AF_INET, address, &wanted.sin_addr) == 1 else {
      throw StageFailure(code: "usage", message: "\(address) is no IPv4 address")
    }
    try requireLoopback(wanted.sin_addr.s_addr)
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var on: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
    let status = withUnsafePointer(to: &wanted) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard descriptor >= 0, status == 0, listen(descriptor, backlog) == 0, let bound = Self.address(of: descriptor)
    else {
      let reason = String(cString: strerror(errno))
      if descriptor >= 0 { close(descriptor) }
      throw StageFailure(
        code: "port_taken", message: "the API cannot listen on \(address):\(port): \(reason)",
        hint: "choose another: --port, or leave it out for a free one", isTransient: true)
    }
    return ListeningSocket(descriptor: descriptor, port: Self.port(bound))
  }

  /// - Parameter address: In network order.
  private static func requireLoopback(_ address: in_addr_t) throws {
    guard UInt32(bigEndian: address) == INADDR_LOOPBACK else {
      throw StageFailure(
        code: "not_loopback", message: "the API listens on loopback only: it has no TLS",
        hint: "listen on 127.0.0.1, and reach it from elsewhere through a tunnel: ssh -L")
    }
  }

  /// Another descriptor of the same socket, for a server that closes its own.
  func duplicate() throws -> Int32 {
    let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
    guard copy >= 0 else {
      throw StageFailure(
        code: "no_descriptor", message: "no descriptor is left: \(String(cString: strerror(errno)))", isTransient: true)
    }
    return copy
  }

  /// Lets the program that this process becomes have it. Returns what to add to its environment.
  package func handOn() -> [String: String] {
    _ = fcntl(descriptor, F_SETFD, 0)
    return [Self.variable: "\(descriptor)"]
  }

  /// Of a socket that listens; nil for anything else.
  private static func address(of descriptor: Int32) -> sockaddr_in? {
    var listens: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    guard getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0, listens == 1 else { return nil }
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
    }
    return status == 0 && address.sin_family == sa_family_t(AF_INET) ? address : nil
  }

  private static func port(_ address: sockaddr_in) -> Int { Int(in_port_t(bigEndian: address.sin_port)) }
}
