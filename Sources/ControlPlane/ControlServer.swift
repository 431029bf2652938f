import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import ServiceLifecycle

/// Answers HTTP on a socket that it does not own. Each connection has one request, so that the server knows what is open when it
/// stops accepting; told to stop, it answers what it has accepted and leaves the socket as it is.
///
/// The work for a client that goes away is cancelled. Everything that a client can fill or hold has a maximum.
struct ControlServer: Service {
  typealias Respond = @Sendable (Request, BasicRequestContext) async throws -> Response

  /// When the server stops, it does not wait longer for its connections.
  private static let farewell = Duration.seconds(5)
  /// From the end of accepting to the end of the server.
  private static let delivery = TimeAmount.milliseconds(100)

  let socket: ListeningSocket
  let limits: ControlLimits
  let connections: OpenConnections
  let logger: Logger
  /// Refuses a request before it counts as one that is being answered; nil: it is let in.
  let refuse: @Sendable (Request) -> APIFault?
  let respond: Respond

  func run() async throws {
    let http = HTTP1Channel(
      responder: { request, writer, channel in
        var response = await self.response(to: request, on: channel)
        response.headers[.connection] = "close"
        // From here on, so that a client that does not read its answer keeps nothing either.
        connections.farewell(channel)
        let body = try await writer.writeHead(response.head)
        try await response.body.write(body)
        // A client that reads to the end sees it; the loop above ends when the other side closes too.
        channel.close(mode: .output, promise: nil)
      },
      configuration: HTTP1Channel.Configuration(
        idleTimeout: TimeAmount(limits.idleLimit),
        httpDecoderConfiguration: .init(
          maxHeaderFieldSize: limits.maxHeadBytes / 2, maxHeaderListSize: limits.maxHeadBytes,
          maxHeaderFieldCount: limits.maxHeaders)))
    let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelOption(ChannelOptions.socketOption(.so_reuseaddr), value: 1)
      .bind(NIOBSDSocket.Handle(try socket.duplicate())) { [logger, connections] channel in
        connections.add(channel)
        return http.setup(channel: channel, logger: logger).flatMapThrowing { value in
          let pipeline = channel.pipeline.syncOperations
          let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
          let head = RequestHead { connections.farewell($0) }
          try pipeline.addHandler(head, position: .after(decoder))
          return value
        }
      }
    try await withGracefulShutdownHandler {
      try await withThrowingTaskGroup(of: Void.self) { race in
        race.addTask { try await accept(from: server, http) }
        race.addTask {
          try await gracefulShutdown()
          try await ContinuousClock().sleep(for: Self.farewell)
        }
        try await race.next()
        race.cancelAll()
      }
    } onGracefulShutdown: {
      // A connection accepted a moment ago is still on its way to its handler: closing now would drop it.
      server.channel.setOption(.autoRead, value: false).whenComplete { _ in
        server.channel.eventLoop.scheduleTask(in: Self.delivery) { server.channel.close(promise: nil) }
      }
    }
  }

  private func response(to request: Request, on channel: any Channel) async -> Response {
    if let fault = refuse(request) { return fault.response }
    guard connections.beginAnswer(on: channel) else {
      return APIFault(.serviceUnavailable, "busy", "too many requests are being answered", hint: "ask again later")
        .response
    }
    defer { connections.endAnswer(on: channel) }
    let context = BasicRequestContext(source: ApplicationRequestContextSource(channel: channel, logger: logger))
    do {
      return try await whileConnected(channel) { try await respond(request, context) }
    } catch let fault as APIFault {
      return fault.response
    } catch let error as HTTPError {
      return APIFault(error.status, "usage", error.body ?? error.status.reasonPhrase).response
    } catch is HTTPParserError {
      return APIFault(.badRequest, "usage", "the body is not what the head of the request says").response
    } catch {
      // A client that is gone reads nothing of this.
      if !(error is CancellationError) {
        logger.warning("a request could not be answered", metadata: ["error": "\(error)"])
      }
      return APIFault(
        .internalServerError, "internal", "the request could not be answered; the log of control says why"
      )
      .response
    }
  }

  /// Cancels the work when the client closes its connection, and when it takes too long.
  private func whileConnected(
    _ channel: any Channel, _ work: @escaping @Sendable () async throws -> Response
  ) async throws -> Response {
    let (presence, end) = AsyncStream<Void>.makeStream()
    channel.closeFuture.whenComplete { _ in end.finish() }
    return try await withThrowingTaskGroup(of: Response.self) { group in
      group.addTask { try await work() }
      group.addTask {
        for await _ in presence {}
        throw CancellationError()
      }
      group.addTask { [limits] in
        try await ContinuousClock().sleep(for: limits.answerLimit)
        throw APIFault(.serviceUnavailable, "too_slow", "the answer took too long", hint: "ask again later")
      }
      defer { group.cancelAll() }
      guard let first = try await group.next() else { preconditionFailure("the group has three tasks") }
      return first
    }
  }

  /// Until the socket's server closes and every connection has its answer.
  private func accept(
    from server: NIOAsyncChannel<HTTP1Channel.Value, Never>, _ http: HTTP1Channel
  ) async throws {
    try await withThrowingDiscardingTaskGroup { group in
      try await server.executeThenClose { connections in
        for try await connection in connections {
          group.addTask { [logger] in await http.handle(value: connection, logger: logger) }
        }
      }
    }
  }
}
