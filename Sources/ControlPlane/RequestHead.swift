import Hummingbird
import NIOCore
import NIOHTTP1

/// Reads what only the wire has of a request's head, before it becomes an `HTTPRequest`, which keeps the first `Host` and the path.
///
/// An absolute request target names the host in the place of `Host` (RFC 9112, 3.2.2). More than one `Host` counts as none. What
/// is no HTTP is answered here, since it never becomes a request.
final class RequestHead: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias InboundOut = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let onRefusal: @Sendable (any Channel) -> Void
  private var isPassed = false

  /// - Parameter onRefusal: Called when a connection has its last answer.
  init(onRefusal: @escaping @Sendable (any Channel) -> Void) { self.onRefusal = onRefusal }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard case .head(var head) = unwrapInboundIn(data) else { return context.fireChannelRead(data) }
    isPassed = true
    if head.headers["Host"].count > 1 { head.headers.remove(name: "Host") }
    if let named = Self.authority(of: head.uri) { head.headers.replaceOrAdd(name: "Host", value: named) }
    if head.headers["Expect"].contains(where: { $0.lowercased() == "100-continue" }), head.version == .http1_1 {
      // The body is small, whatever the answer will be.
      let interim = HTTPResponseHead(version: .http1_1, status: .continue)
      context.writeAndFlush(wrapOutboundOut(.head(interim)), promise: nil)
    }
    context.fireChannelRead(wrapInboundOut(.head(head)))
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    guard error is HTTPParserError, !isPassed else { return context.fireErrorCaught(error) }
    isPassed = true
    let fault = APIFault(.badRequest, "usage", "the request is no HTTP/1.1, or its head is too large")
    let body = fault.body
    let headers: HTTPHeaders = [
      "Content-Type": "application/json", "Content-Length": "\(body.readableBytes)", "Connection": "close",
    ]
    context.write(
      wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .badRequest, headers: headers))), promise: nil)
    context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    context.close(mode: .output, promise: nil)
    onRefusal(context.channel)
  }

  /// Of an absolute target, `scheme://authority/path`; nil for a path.
  private static func authority(of target: String) -> String? {
    guard !target.hasPrefix("/"), let colon = target.firstRange(of: "://") else { return nil }
    return String(target[colon.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" })
  }
}
