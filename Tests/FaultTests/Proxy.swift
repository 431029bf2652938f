import Dispatch
import Glibc
import Postgres
import Synchronization
import TestSupport

/// A TCP port on loopback that leads to a PostgreSQL server's socket, for tests that cut what goes through it.
final class Proxy: Sendable {
  enum Moment: String, Sendable, CaseIterable {
    /// The COMMIT does not arrive.
    case beforeCommit
    /// The COMMIT arrives and takes effect; its answer does not come back.
    case afterCommit
  }

  private struct State {
    var cut: (moment: Moment, content: String, left: Int)?
    var cuts = 0
    var isStopped = false
    var isSilent = false
    var links: [ProxyLink] = []
  }

  let port: Int
  private let listener: CInt
  private let state = Mutex(State())

  /// - Parameter socket: The server's.
  init(to socket: String) throws {
    let listener = try Self.listen()
    self.listener = listener.descriptor
    port = listener.port
    DispatchQueue(label: "proxy").async { [self] in accept(to: socket) }
  }

  static func with(_ bench: FaultBench, _ body: @Sendable (Proxy) async throws -> Void) async throws {
    let proxy = try Proxy(to: (bench.settings["host"] ?? "") + "/.s.PGSQL." + (bench.settings["port"] ?? ""))
    defer { proxy.stop() }
    try await body(proxy)
  }

  /// The same database, through this port.
  func url(_ bench: FaultBench) -> String {
    let (user, database) = (bench.settings["user"] ?? "", bench.settings["dbname"] ?? "")
    return "postgresql://\(user)@127.0.0.1:\(port)/\(database)?sslmode=disable&gssencmode=disable"
  }

  /// From now on cuts so many connections at the COMMIT of a transaction that has a statement with this text.
  func cut(_ moment: Moment, ofTransactionsWith content: String, times: Int) {
    state.withLock { $0.cut = (moment, content, times) }
  }

  var cuts: Int { state.withLock { $0.cuts } }

  /// Holds everything back, in both directions, until ``release()``: also on connections to come.
  func silence() {
    let links = state.withLock { state in
      state.isSilent = true
      return state.links
    }
    for link in links { link.silence(true) }
  }

  /// As ``silence()``, on the connections that listen for notifications now.
  func silenceListeners() { for link in state.withLock({ $0.links }) where link.listens { link.silence(true) } }

  /// What was held back goes on.
  func release() {
    let links = state.withLock { state in
      state.isSilent = false
      return state.links
    }
    for link in links { link.silence(false) }
  }

  /// Whether a connection is to be cut at this COMMIT, and how; counted when it is.
  func judge(_ statements: [String]) -> Moment? {
    state.withLock { state in
      guard let cut = state.cut, cut.left > 0, statements.contains(where: { $0.contains(cut.content) }) else {
        return nil
      }
      state.cut?.left -= 1
      return cut.moment
    }
  }

  func counted() { state.withLock { $0.cuts += 1 } }

  private func stop() {
    let links = state.withLock { state in
      state.isStopped = true
      return state.links
    }
    shutdown(listener, CInt(SHUT_RDWR))
    close(listener)
    for link in links { link.end() }
  }

  private func accept(to socket: String) {
    while true {
      let client = Glibc.accept(listener, nil, nil)
      guard client >= 0 else { return }
      guard let server = Self.connect(to: socket) else {
        close(client)
        continue
      }
      let link = ProxyLink(client: client, server: server, proxy: self)
      let isStopped = state.withLock { state in
        state.links.removeAll { $0.isOver }
        state.links.append(link)
        link.silence(state.isSilent)
        return state.isStopped
      }
      if isStopped { link.end() }
      DispatchQueue(label: "proxy link").async { link.pump() }
    }
  }

  private static func listen() throws -> (descriptor: CInt, port: Int) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        bind(descriptor, address, length) == 0 && Glibc.listen(descriptor, 64) == 0
          && getsockname(descriptor, address, &length) == 0
      }
    }
    guard isBound else { throw TestSupportError("no port on loopback: \(String(cString: strerror(errno)))") }
    return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
  }

  /// Nil while the server is away.
  private static func connect(to path: String) -> CInt? {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    let status = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard status == 0 else {
      close(descriptor)
      return nil
    }
    return descriptor
  }
}
