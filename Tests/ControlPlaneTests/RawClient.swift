import Dispatch
import Glibc
import TestSupport

/// A client of the API that may do what no library does: stop in the middle, say nothing, go away.
final class RawClient: Sendable {
  private let descriptor: Int32

  /// Connects to a port on loopback.
  init(port: Int) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
    let status = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard status == 0 else { throw TestSupportError("no connection: \(String(cString: strerror(errno)))") }
  }

  deinit { close(descriptor) }

  func send(_ text: String) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      guard count > 0 else { return }
      bytes = bytes.dropFirst(count)
    }
  }

  /// Goes away, as a client that is killed.
  func leave() { shutdown(descriptor, Int32(SHUT_RDWR)) }

  /// All until the server closes.
  func rest() async -> String {
    await withCheckedContinuation { continuation in
      DispatchQueue.global().async { [descriptor] in
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while case let count = read(descriptor, &buffer, buffer.count), count > 0 { text += buffer[..<count] }
        continuation.resume(returning: String(decoding: text, as: UTF8.self))
      }
    }
  }

  /// One request to its end.
  static func ask(
    _ port: Int, _ line: String, _ headers: [String] = [], host: String? = "127.0.0.1", body: String? = nil
  ) async throws -> String {
    let client = try RawClient(port: port)
    client.send(Self.text(line, headers, host: host, body: body))
    return await client.rest()
  }

  static func text(_ line: String, _ headers: [String], host: String? = "127.0.0.1", body: String? = nil) -> String {
    let all =
      ["\(line) HTTP/1.1"] + (host.map { ["Host: \($0)"] } ?? []) + headers
      + (body.map { ["Content-Length: \($0.utf8.count)"] } ?? [])
    return all.joined(separator: "\r\n") + "\r\n\r\n" + (body ?? "")
  }
}
