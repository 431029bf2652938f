import NIOCore
import NIOHTTP1

/// Bounds the interim answers (100 Continue, 103 Early Hints) that a source sends before the head of its answer. The client ignores
/// them, so that without a bound a source could send them for as long as the head may take.
final class InterimHeads: ChannelInboundHandler {
  typealias InboundIn = HTTPClientResponsePart
  typealias InboundOut = HTTPClientResponsePart

  struct TooMany: Error {}

  /// To one request. Servers send one or two.
  static let maximum = 16

  private var count = 0

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    if case .head(let head) = unwrapInboundIn(data) {
      let isInterim = (100..<200).contains(head.status.code) && head.status != .switchingProtocols
      count = isInterim ? count + 1 : 0
      guard count <= Self.maximum else {
        context.fireErrorCaught(TooMany())
        context.close(promise: nil)
        return
      }
    }
    context.fireChannelRead(data)
  }

  /// Adds it behind the decoder of a new connection.
  static func bound(_ channel: any Channel) -> EventLoopFuture<Void> {
    channel.eventLoop.submit {
      let pipeline = channel.pipeline.syncOperations
      let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPResponseDecoder>.self)
      try pipeline.addHandler(InterimHeads(), position: .after(decoder))
    }
  }
}
