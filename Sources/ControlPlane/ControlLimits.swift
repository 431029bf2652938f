import NIOCore

/// What the clients of the API can hold or fill, at most. A client beyond a limit is told so, or its connection is closed.
package struct ControlLimits: Sendable {
  /// Far below the limit of open files of a process (1024 by default). The oldest one without a request makes room.
  package var maxConnections = 512
  /// Requests that are being answered at once; the others get 503 and `Retry-After`.
  package var maxRequests = 128
  /// Of a request's line and headers together.
  package var maxHeadBytes = 16 * 1024
  package var maxHeaders = 64
  package var maxBodyBytes = 64 * 1024
  /// From the connection to the end of the request's head, however fast its bytes come.
  package var requestLimit = Duration.seconds(10)
  /// From the request's head to its answer.
  package var answerLimit = Duration.seconds(45)
  /// A connection that sends nothing for so long is closed.
  package var idleLimit = Duration.seconds(30)
  /// From the end of the answer to the end of the connection.
  package var farewellLimit = Duration.seconds(5)
  /// A status is computed once in this time, however many clients ask.
  package var statusLifetime = Duration.seconds(1)

  package init() {}
}
