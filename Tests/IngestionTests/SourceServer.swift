import NIOCore
import NIOPosix
import Synchronization

/// An HTTP server on the loopback that a test scripts, and that can misbehave in every way that a source does.
///
/// Speaks HTTP/1.1 with one request a connection, byte by byte as the script says.
final class SourceServer: Sendable {
  struct Request: Sendable {
    var method: String
    /// With its query.
    var target: String
    var headers: [String: String]
    var body = ""

    var path: String { String(target.prefix { $0 != "?" }) }

    /// The value of a query parameter, as it was sent.
    func parameter(_ name: String) -> String? {
      guard let mark = target.firstIndex(of: "?") else { return nil }
      for item in target[target.index(after: mark)...].split(separator: "&") {
        let pair = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        if pair[0] == name { return pair.count > 1 ? String(pair[1]) : "" }
      }
      return nil
    }
  }

  struct Response: Sendable {
    var status = 200
    var headers: [(String, String)] = []
    var body: [UInt8] = []
    /// What `Content-Length` says where it lies.
    var announcedBytes: Int?
    /// Off: the end of the connection ends the body.
    var announcesLength = true
    /// The connection stays open and silent after the body.
    var staysSilent = false
    /// Nothing is sent; the connection is closed.
    var hangsUp = false
    /// So many times `103 Early Hints` is sent before the head.
    var interimHeads = 0
    /// The head is sent a byte at a time, with a pause before each.
    var headPause: TimeAmount?

    static func json(_ text: String, headers: [(String, String)] = []) -> Response {
      Response(headers: [("Content-Type", "application/json")] + headers, body: Array(text.utf8))
    }

    static func text(_ text: String, headers: [(String, String)] = []) -> Response {
      Response(headers: headers, body: Array(text.utf8))
    }

    static func status(_ code: Int, headers: [(String, String)] = []) -> Response {
      Response(status: code, headers: headers, body: Array("{\"error\": \"in no message\"}".utf8))
    }
  }

  private let channel: any Channel
  private let log: RequestLog

  var requests: [Request] { log.requests.withLock { $0 } }
  var targets: [String] { requests.map(\.target) }
  var port: Int { channel.localAddress?.port ?? 0 }
  var url: String { "http://127.0.0.1:\(port)" }

  private init(channel: any Channel, log: RequestLog) {
    self.channel = channel
    self.log = log
  }

  /// Serves `script` while `body` runs. The script gets each request and its number, from 0.
  static func serving<T>(
    _ script: @escaping @Sendable (Request, Int) -> Response, _ body: (SourceServer) async throws -> T
  ) async throws -> T {
    let log = RequestLog()
    let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(Conversation(script: script, log: log))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    let server = SourceServer(channel: channel, log: log)
    let result: T
    do { result = try await body(server) } catch {
      try? await channel.close()
      throw error
    }
    try await channel.close()
    return result
  }
}

final class RequestLog: Sendable {
  let requests = Mutex<[SourceServer.Request]>([])
}

/// One connection: gathers a request, writes what the script says, and closes.
private final class Conversation: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let script: @Sendable (SourceServer.Request, Int) -> SourceServer.Response
  private let log: RequestLog
  private var head: [UInt8] = []
  private var isAnswered = false

  init(script: @escaping @Sendable (SourceServer.Request, Int) -> SourceServer.Response, log: RequestLog) {
    self.script = script
    self.log = log
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    head += Array(unwrapInboundIn(data).readableBytesView)
    let blankLine = Array("\r\n\r\n".utf8)
    guard !isAnswered, let end = head.indices.first(where: { head[$0...].starts(with: blankLine) }) else { return }
    var request = Self.parse(String(decoding: head[..<end], as: UTF8.self))
    let announced = request.headers["content-length"].flatMap { Int($0) } ?? 0
    guard head.count - end - blankLine.count >= announced else { return }
    isAnswered = true
    request.body = String(decoding: head[(end + blankLine.count)...], as: UTF8.self)
    let number = log.requests.withLock { requests in
      requests.append(request)
      return requests.count - 1
    }
    answer(script(request, number), context)
  }

  private func answer(_ response: SourceServer.Response, _ context: ChannelHandlerContext) {
    if response.hangsUp {
      context.close(promise: nil)
      return
    }
    let length = response.announcedBytes ?? response.body.count
    let interim = String(repeating: "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", count: response.interimHeads)
    var head = interim + "HTTP/1.1 \(response.status) X\r\nConnection: close\r\n"
    if response.announcesLength { head += "Content-Length: \(length)\r\n" }
    for (name, value) in response.headers { head += "\(name): \(value)\r\n" }
    if let pause = response.headPause { return trickle(Array((head + "\r\n").utf8)[...], every: pause, context) }
    context.write(wrapOutboundOut(ByteBuffer(string: head + "\r\n")), promise: nil)
    send(response, context)
  }

  private func trickle(_ bytes: ArraySlice<UInt8>, every pause: TimeAmount, _ context: ChannelHandlerContext) {
    guard let first = bytes.first, context.channel.isActive else { return }
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: [first])), promise: nil)
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    context.eventLoop.scheduleTask(in: pause) {
      let (conversation, context) = bound.value
      conversation.trickle(bytes.dropFirst(), every: pause, context)
    }
  }

  private func send(_ response: SourceServer.Response, _ context: ChannelHandlerContext) {
    let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: response.body))).whenSuccess {
      if !response.staysSilent { bound.value.close(promise: nil) }
    }
  }

  private static func parse(_ head: String) -> SourceServer.Request {
    let lines = head.split(separator: "\r\n")
    let first = lines[0].split(separator: " ")
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { continue }
      headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].drop { $0 == " " }.description
    }
    return SourceServer.Request(method: String(first[0]), target: String(first[1]), headers: headers)
  }
}
