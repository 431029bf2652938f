import Glibc
import Synchronization

/// One connection through a ``Proxy``.
final class ProxyLink: Sendable {
  private struct State {
    var isSilent = false
    var isEnded = false
    var isOver = false
    var listens = false
  }

  private let client: CInt
  private let server: CInt
  private let proxy: Proxy
  private let state = Mutex(State())

  init(client: CInt, server: CInt, proxy: Proxy) {
    self.client = client
    self.server = server
    self.proxy = proxy
  }

  /// Whether it has listened for notifications.
  var listens: Bool { state.withLock { $0.listens } }
  var isOver: Bool { state.withLock { $0.isOver } }
  func silence(_ isSilent: Bool) { state.withLock { $0.isSilent = isSilent } }
  func end() { state.withLock { $0.isEnded = true } }

  /// Passes bytes on until one side ends or the connection is cut. Blocks its thread.
  func pump() {
    var conversation = Conversation()
    // What the server says after a COMMIT whose answer is not to come back.
    var withheld: [UInt8]?
    while true {
      let (isSilent, isEnded) = state.withLock { ($0.isSilent, $0.isEnded) }
      if isEnded { break }
      if isSilent {
        usleep(10_000)
        continue
      }
      var sockets = [
        pollfd(fd: client, events: Int16(POLLIN), revents: 0), pollfd(fd: server, events: Int16(POLLIN), revents: 0),
      ]
      guard poll(&sockets, 2, 20) > 0 else { continue }
      // Said while this thread waited: it holds from that moment on.
      if state.withLock({ $0.isSilent }) { continue }
      if sockets[0].revents != 0 {
        guard let bytes = Self.read(client) else { break }
        let (forwarded, cut) = conversation.take(bytes, judge: proxy.judge)
        if conversation.listens { state.withLock { $0.listens = true } }
        guard Self.write(forwarded, server) else { break }
        if cut == .beforeCommit {
          proxy.counted()
          break
        }
        if cut == .afterCommit { withheld = [] }
      }
      if sockets[1].revents != 0 {
        guard let bytes = Self.read(server) else { break }
        guard let before = withheld else {
          guard Self.write(bytes, client) else { break }
          continue
        }
        withheld = before + bytes
        if String(decoding: before + bytes, as: UTF8.self).contains("COMMIT\0") {
          proxy.counted()
          break
        }
      }
    }
    close(client)
    close(server)
    state.withLock { $0.isOver = true }
  }

  private static func read(_ descriptor: CInt) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    let count = Glibc.read(descriptor, &buffer, buffer.count)
    return count > 0 ? Array(buffer.prefix(count)) : nil
  }

  private static func write(_ bytes: [UInt8], _ descriptor: CInt) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
      guard count > 0 else { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }
}
