import CLibPQ
import Glibc

/// libpq's connection. Used on one thread only, its connection's own, and blocks it.
///
/// It never blocks inside libpq: it waits in `poll`, where a cancellation, a deadline or a lost server ends the wait.
final class PostgresWire {
  /// How long a server may take to answer a cancel request, before it counts as lost.
  static let cancelGrace = Duration.seconds(5)
  /// A request that overtook its statement found nothing to cancel; so it is sent again.
  static let cancelRepeat = Duration.milliseconds(100)

  let pointer: OpaquePointer
  let signal: WakeSignal
  private let cancelSender: CancelSender
  private var stopping: Stopping?
  /// The session cannot be used any more, whatever libpq thinks.
  private(set) var isBroken = false
  /// Why the server ended the session, where it said so: 57P02 when another of its processes crashed, 57P01 when it stops at once.
  var farewell: String?
  /// libpq tells the end of a COPY TO STDOUT once, and takes a second question for an error.
  var isCopyOver = true
  /// What this session has prepared.
  var prepared: PreparedStatements

  /// A statement that is being cancelled.
  private struct Stopping {
    var reason: OperationWatch.Stop
    var giveUpAt: ContinuousClock.Instant
    var request: CancelRequest
    var repeatAt: ContinuousClock.Instant
  }

  /// Takes over an open connection.
  init(_ pointer: OpaquePointer, signal: WakeSignal, isPooled: Bool) {
    self.pointer = pointer
    self.signal = signal
    prepared = PreparedStatements(isPooled: isPooled)
    cancelSender = CancelSender(pointer)
    PQsetnonblocking(pointer, 1)
    // Notices are not errors, and this process's standard error is not the place for them. One is kept: the reason for which the
    // server ends all of its sessions, which it sends as a warning. The receiver lives no longer than the pointer, and that no
    // longer than this object.
    let receiver: PQnoticeReceiver = { wire, notice in
      guard let wire, let notice else { return }
      func field(_ code: UInt8) -> String? { PQresultErrorField(notice, Int32(code)).map { String(cString: $0) } }
      guard field(ErrorField.routine) == "quickdie" else { return }
      Unmanaged<PostgresWire>.fromOpaque(wire).takeUnretainedValue().farewell = field(ErrorField.sqlState)
    }
    PQsetNoticeReceiver(pointer, receiver, Unmanaged.passUnretained(self).toOpaque())
  }

  deinit { PQfinish(pointer) }

  var backendPID: Int32 { PQbackendPID(pointer) }
  var isOpen: Bool { !isBroken && PQstatus(pointer) == CONNECTION_OK }
  var isInTransaction: Bool { PQtransactionStatus(pointer) != PQTRANS_IDLE }

  func markBroken() { isBroken = true }

  /// Whether the session is open and in no transaction. Looks at the socket as well: a server that went away while the
  /// session lay idle has left an end of file there.
  var isReusable: Bool {
    // What the server said last comes first; only behind it is the end.
    while isOpen, poll(PQsocket(pointer), Int16(POLLIN), nil, until: .now) != 0, PQconsumeInput(pointer) == 1 {
      _ = PQisBusy(pointer)
    }
    return isOpen && PQtransactionStatus(pointer) == PQTRANS_IDLE
  }

  /// Sends what is queued and waits for the next result to be complete.
  func awaitReply(_ watch: OperationWatch) throws {
    while true {
      let unsent = PQflush(pointer)
      guard unsent >= 0 else { throw lost(watch) }
      if unsent == 0, PQisBusy(pointer) == 0 { return }
      try checkStop(watch)
      let ready = try wait(unsent == 1 ? Int16(POLLIN | POLLOUT) : Int16(POLLIN), watch)
      guard ready & ~Int16(POLLOUT) == 0 || PQconsumeInput(pointer) == 1 else { throw lost(watch) }
      // Results may be complete while requests are still queued, as in a pipeline.
      if PQisBusy(pointer) == 0 { return }
    }
  }

  /// Waits until the socket is ready, something wakes this thread, or it is time to look at the clock.
  func wait(_ events: Int16, _ watch: OperationWatch) throws -> Int16 {
    var until = watch.nextCheck
    if let stopping {
      until = min(stopping.giveUpAt, stopping.request.isDone ? stopping.repeatAt : stopping.giveUpAt)
    }
    return poll(PQsocket(pointer), events, signal, until: until)
  }

  /// Starts, repeats or gives up the cancellation of a statement that is to stop.
  func checkStop(_ watch: OperationWatch) throws {
    guard let reason = stopping?.reason ?? watch.stopReason else { return }
    let now = ContinuousClock.now
    guard let current = stopping else {
      stopping = Stopping(
        reason: reason, giveUpAt: now + Self.cancelGrace, request: cancelSender.send(waking: signal),
        repeatAt: now + Self.cancelRepeat)
      return
    }
    guard now < current.giveUpAt else {
      isBroken = true
      guard reason == .deadlinePassed else { throw lost(watch, because: "the server does not answer a cancel request") }
      throw watch.error(reason)
    }
    if current.request.isDone, now >= current.repeatAt {
      stopping?.request = cancelSender.send(waking: signal)
      stopping?.repeatAt = now + Self.cancelRepeat
    }
  }

  /// Ends one call: a cancel request still on its way must not hit the next statement.
  ///
  /// - Returns: Why the statement was cancelled, if it was.
  func finishStopping() -> OperationWatch.Stop? {
    guard let current = stopping else { return nil }
    while !current.request.isDone, !isBroken {
      if current.giveUpAt <= .now { isBroken = true }
      _ = poll(-1, 0, signal, until: current.giveUpAt)
    }
    stopping = nil
    return current.reason
  }

  /// A session that ended under a statement.
  func lost(_ watch: OperationWatch, because reason: String? = nil) -> PostgresError {
    isBroken = true
    // What the server said last may have been read, and not been looked at.
    _ = PQisBusy(pointer)
    let text = reason ?? ConnectComplaint(String(cString: PQerrorMessage(pointer))).text
    return PostgresError(
      .connectionLost, operation: watch.name,
      message: "the connection to the database was lost" + (text.isEmpty ? "" : " (\(text))"),
      sqlState: farewell ?? PoolerComplaint.codeOfOutage(text),
      hint: "try again; outside a transaction, look first whether the statement took effect")
  }
}

/// Waits for `events` on a socket, or for `signal`, which it resets; -1 is no socket. Zero when neither came.
func poll(_ socket: CInt, _ events: Int16, _ signal: WakeSignal?, until: ContinuousClock.Instant?) -> Int16 {
  var descriptors = [
    pollfd(fd: socket, events: events, revents: 0),
    pollfd(fd: signal?.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
  ]
  var milliseconds: CInt = -1
  if let until {
    let left = (until - .now).components
    // Rounded up, so that the time has come when the wait ends.
    milliseconds = CInt(clamping: max(0, left.seconds * 1000 + left.attoseconds / 1_000_000_000_000_000 + 1))
    if until <= .now { milliseconds = 0 }
  }
  // Interrupted by a signal is like woken for nothing.
  guard Glibc.poll(&descriptors, 2, milliseconds) > 0 else { return 0 }
  if descriptors[1].revents != 0 { signal?.reset() }
  return descriptors[0].revents
}
