import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

/// Answers HTTP on a socket that it does not own. Each connection has one request, so that whoever stops accepting knows what is
/// open; told to stop, it answers what it has accepted and leaves the socket as it is.
struct ControlServer<Responder: HTTPResponder>: Service where Responder.Context == BasicRequestContext {
  /// A connection that says nothing is not waited for.
  private static var farewell: Duration { .seconds(5) }
  /// A connection that sends nothing for so long is closed.
  private static var idle: TimeAmount { .seconds(30) }
  /// From the end of accepting to the end of the server.
  private static var delivery: TimeAmount { .milliseconds(100) }

  let socket: ListeningSocket
  let responder: Responder
  let logger: Logger

  func run() async throws {
    let http = HTTP1Channel(
      responder: { [responder, logger] request, writer, channel in
        let context = BasicRequestContext(source: ApplicationRequestContextSource(channel: channel, logger: logger))
        var response: Response
        do { response = try await responder.respond(to: request, context: context) } catch {
          logger.warning("a request could not be answered", metadata: ["error": "\(error)"])
          response = Response(status: .internalServerError)
        }
        response.headers[.connection] = "close"
        let body = try await writer.writeHead(response.head)
        try await response.body.write(body)
        // Whoever reads to the end is to see it; the loop above ends when the other side closes too.
        channel.close(mode: .output, promise: nil)
      }, configuration: HTTP1Channel.Configuration(idleTimeout: Self.idle))
    let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelOption(ChannelOptions.socketOption(.so_reuseaddr), value: 1)
      .bind(NIOBSDSocket.Handle(try socket.duplicate())) { [logger] channel in
        http.setup(channel: channel, logger: logger)
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
      // What was accepted a moment ago is still on its way to the one who answers: closing now would drop it.
      server.channel.setOption(.autoRead, value: false).whenComplete { _ in
        server.channel.eventLoop.scheduleTask(in: Self.delivery) { server.channel.close(promise: nil) }
      }
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
