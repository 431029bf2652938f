import Dispatch
import Glibc
import Synchronization
import TestSupport

/// An HTTP server on loopback that gives every request the same answer, and keeps what it was sent.
final class ScriptedReceiver: Sendable {
  let port: Int
  private let descriptor: Int32
  private let received = Mutex<[String]>([])

  /// - Parameter answer: The status line's end and the headers, such as `302 Found\r\nLocation: /`.
  init(answer: String) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let descriptor = descriptor
    let status = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        bind(descriptor, address, length) == 0 && listen(descriptor, 16) == 0
          && getsockname(descriptor, address, &length) == 0
      }
    }
    guard status else { throw TestSupportError("no listener: \(String(cString: strerror(errno)))") }
    port = Int(in_port_t(bigEndian: address.sin_port))
    DispatchQueue.global().async { [weak self] in
      while case let client = accept(descriptor, nil, nil), client >= 0 {
        let text = Self.request(client)
        self?.received.withLock { $0.append(text) }
        let bytes = Array("HTTP/1.1 \(answer)\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".utf8)
        _ = send(client, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        close(client)
      }
    }
  }

  /// Ends the thread that accepts.
  deinit {
    shutdown(descriptor, Int32(SHUT_RDWR))
    close(descriptor)
  }

  var requests: [String] { received.withLock { $0 } }

  /// The head and a body of the announced length.
  private static func request(_ client: Int32) -> String {
    var text = ""
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      if let end = text.firstRange(of: "\r\n\r\n") {
        let length =
          text.lowercased().split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
          .flatMap { Int($0.dropFirst("content-length:".count).drop { $0 == " " }) } ?? 0
        if text[end.upperBound...].utf8.count >= length { return text }
      }
      let count = read(client, &buffer, buffer.count)
      guard count > 0 else { return text }
      text += String(decoding: buffer[..<count], as: UTF8.self)
    }
  }
}
