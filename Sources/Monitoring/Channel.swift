/// A way to tell someone of an event.
package protocol Channel: Sendable {
  /// Delivers one message, or throws a ``NotificationError``.
  func deliver(_ message: OutboxMessage) async throws
}
