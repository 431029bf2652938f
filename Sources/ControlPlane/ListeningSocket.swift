import JobModel

#if canImport(Glibc)
  import Glibc
#endif

/// A socket on loopback that outlives the server that accepts from it: a process that becomes another program hands it on, and
/// whoever connects meanwhile waits in its line instead of being refused.
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

  /// The one that was handed on, else a new one.
  ///
  /// - Parameter port: 0 for one that is free.
  /// - Throws: `StageFailure` `port_taken`.
  package static func open(port: Int, environment: [String: String]) throws -> ListeningSocket {
    if let text = environment[variable], let descriptor = Int32(text), let bound = Self.port(of: descriptor) {
      // Programs that this one starts do not get it.
      _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
      return ListeningSocket(descriptor: descriptor, port: bound)
    }
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var on: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(truncatingIfNeeded: port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let status = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard descriptor >= 0, status == 0, listen(descriptor, backlog) == 0, let bound = Self.port(of: descriptor) else {
      let reason = String(cString: strerror(errno))
      if descriptor >= 0 { close(descriptor) }
      throw StageFailure(
        code: "port_taken", message: "the API cannot listen on 127.0.0.1:\(port): \(reason)",
        hint: "choose another: --port, or leave it out for a free one", isTransient: true)
    }
    return ListeningSocket(descriptor: descriptor, port: bound)
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
  private static func port(of descriptor: Int32) -> Int? {
    var listens: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    guard getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0, listens == 1 else { return nil }
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
    }
    return status == 0 ? Int(in_port_t(bigEndian: address.sin_port)) : nil
  }
}
