import JobModel

/// What another session said with NOTIFY.
package struct PostgresNotification: Sendable, Equatable {
  package let channel: String
  package let payload: String
  /// The server's process of the session that said it.
  package let backendPID: Int32
}

/// The notifications on some channels, on a connection of their own, in the order of their commits.
///
/// For one consumer. It ends when the consuming task is cancelled, and throws ``PostgresError`` `.connectionLost` with its
/// session; what was said meanwhile is lost then, so that a consumer looks at the tables after it listens again. The
/// server keeps for a slow consumer what it has not read yet.
package struct PostgresNotifications: AsyncSequence, Sendable {
  package typealias Element = PostgresNotification
  package typealias Failure = any Error

  let connection: PostgresConnection

  /// Listens on a new connection; everything that is said after this returns is delivered.
  package static func listen(
    on channels: [String], _ settings: PostgresSettings
  ) async throws -> PostgresNotifications {
    let connection = try await PostgresConnection.connect(settings)
    do {
      try await connection.execute(channels.map { "listen \(quoteIdentifier($0))" }.joined(separator: "; "))
    } catch {
      await connection.close()
      throw error
    }
    return PostgresNotifications(connection: connection)
  }

  /// The server's process of the listening session.
  package var backendPID: Int32 { connection.backendPID }

  /// Ends the session; a consumer that waits gets the end.
  package func close() async {
    connection.cancel()
    await connection.close()
  }

  package struct Iterator: AsyncIteratorProtocol {
    let connection: PostgresConnection

    package mutating func next() async throws -> PostgresNotification? {
      // A task that was cancelled while it waited for its turn ends as quietly as one that was cancelled while it listened.
      do { return try await connection.nextNotification() } catch is CancellationError { return nil }
    }
  }

  package func makeAsyncIterator() -> Iterator { Iterator(connection: connection) }
}

extension PostgresConnection {
  /// Waits for a notification; nil when the task is cancelled or the connection is closed.
  fileprivate func nextNotification() async throws -> PostgresNotification? {
    let watch = OperationWatch("listen")
    return try await inTurn(watch, nil) {
      try await watched(watch) {
        guard let wire = currentWire else { return nil }
        return try wire.nextNotification(watch)
      }
    }
  }
}
