import CLibPQ
import Glibc

extension PostgresWire {
  /// Waits for a notification; nil when it was told to stop.
  func nextNotification(_ watch: OperationWatch) throws -> PostgresNotification? {
    while true {
      if let notification = takeNotification() { return notification }
      guard isOpen else { throw lost(watch) }
      if watch.stopReason != nil { return nil }
      let ready = try wait(Int16(POLLIN), watch)
      guard ready == 0 || PQconsumeInput(pointer) == 1 else { throw lost(watch) }
    }
  }

  private func takeNotification() -> PostgresNotification? {
    guard let notification = PQnotifies(pointer) else { return nil }
    defer { PQfreemem(notification) }
    return PostgresNotification(
      channel: String(cString: notification.pointee.relname), payload: String(cString: notification.pointee.extra),
      backendPID: notification.pointee.be_pid)
  }
}
