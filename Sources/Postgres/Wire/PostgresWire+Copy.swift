import CLibPQ
import Glibc

extension PostgresWire {
  /// What is handed to libpq, or to a consumer, at once: large enough to be cheap, small enough to be bounded.
  static let copyBytes = 64 * 1024

  /// Sends the statement and waits until the server is ready for rows, or has some.
  func beginCopy(_ sql: String, isIn: Bool, _ watch: OperationWatch) throws {
    try requireReady(watch, sql)
    isCopyOver = false
    guard PQsendQuery(pointer, sql) == 1 else { throw lost(watch) }
    try awaitReply(watch)
    guard let raw = PQgetResult(pointer) else { throw unexpected(watch) }
    let result = ResultStorage(raw, operation: watch.name)
    let status = PQresultStatus(raw)
    if status == (isIn ? PGRES_COPY_IN : PGRES_COPY_OUT) { return }
    let failure =
      switch status {
      case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY:
        PostgresError(
          .usage, operation: watch.name, message: "the statement is no COPY \(isIn ? "FROM STDIN" : "TO STDOUT")")
      default: error(result, watch)
      }
    if status == PGRES_COPY_IN || status == PGRES_COPY_OUT {
      try abandonCopy(isIn: status == PGRES_COPY_IN, watch)
    }
    // The rest of the answer; its error, if any, is the one at hand.
    do { _ = try collect(watch) } catch let other as PostgresError where other.kind != .connectionLost {}
    throw failure
  }

  /// Returns once the system has taken the bytes, which it does as fast as the server reads.
  func putCopy(_ bytes: [UInt8], _ watch: OperationWatch) throws {
    try bytes.withUnsafeBytes { buffer in
      for start in stride(from: 0, to: buffer.count, by: Self.copyBytes) {
        let slice = UnsafeRawBufferPointer(rebasing: buffer[start..<min(start + Self.copyBytes, buffer.count)])
        let status = slice.withMemoryRebound(to: CChar.self) {
          PQputCopyData(pointer, $0.baseAddress, Int32($0.count))
        }
        guard status == 1 else { throw lost(watch) }
        try flush(watch)
      }
    }
  }

  private func flush(_ watch: OperationWatch) throws {
    while true {
      let unsent = PQflush(pointer)
      guard unsent >= 0 else { throw lost(watch) }
      if unsent == 0 { return }
      if let reason = watch.stopReason { throw watch.error(reason) }
      let ready = try wait(Int16(POLLIN | POLLOUT), watch)
      guard ready & ~Int16(POLLOUT) == 0 || PQconsumeInput(pointer) == 1 else { throw lost(watch) }
    }
  }

  /// - Returns: The rows.
  func endCopyIn(_ watch: OperationWatch) throws -> Int {
    guard PQputCopyEnd(pointer, nil) == 1 else { throw lost(watch) }
    return try finishCopy(watch)
  }

  /// Takes back what was sent, after an error of the sender's.
  func abandonCopyIn(_ watch: OperationWatch) {
    guard isOpen else { return }
    // The server answers with the error that it was asked for. A lost session is told by the next statement.
    do {
      try abandonCopy(isIn: true, watch)
      _ = try finishCopy(watch)
    } catch {}
    _ = finishStopping()
  }

  /// The next rows, whole, nil at the end.
  func nextCopyChunk(_ watch: OperationWatch) throws -> [UInt8]? {
    guard !isCopyOver else { return nil }
    // A server that sends faster than rows are consumed is never waited for, which is where a stop is noticed else.
    if let reason = watch.stopReason { throw watch.error(reason) }
    return try gatherCopyChunk(watch)
  }

  private func gatherCopyChunk(_ watch: OperationWatch) throws -> [UInt8]? {
    guard !isCopyOver else { return nil }
    var chunk: [UInt8] = []
    chunk.reserveCapacity(Self.copyBytes)
    while chunk.count < Self.copyBytes {
      var row: UnsafeMutablePointer<CChar>?
      let length = PQgetCopyData(pointer, &row, 1)
      if length > 0, let row {
        chunk.append(contentsOf: UnsafeRawBufferPointer(start: row, count: Int(length)))
        PQfreemem(row)
      } else if length == 0 {
        try awaitCopyData(watch)
      } else if length == -1 {
        isCopyOver = true
        break
      } else {
        throw lost(watch)
      }
    }
    return chunk.isEmpty ? nil : chunk
  }

  private func awaitCopyData(_ watch: OperationWatch) throws {
    try checkStop(watch)
    let ready = try wait(Int16(POLLIN), watch)
    guard ready == 0 || PQconsumeInput(pointer) == 1 else { throw lost(watch) }
  }

  /// - Returns: The rows.
  func finishCopy(_ watch: OperationWatch) throws -> Int {
    let results = try collect(watch)
    return results.last.map { PostgresResult($0).affectedRows } ?? 0
  }

  /// Cancels a COPY TO STDOUT and reads away what is on its way.
  func abandonCopyOut(_ watch: OperationWatch) {
    guard isOpen else { return }
    let drain = OperationWatch(watch.name)
    drain.stop(.cancelRequested)
    // The server answers with the error that it was asked for. A lost session is told by the next statement.
    do {
      try abandonCopy(isIn: false, drain)
      _ = try finishCopy(drain)
    } catch {}
    _ = finishStopping()
  }

  /// Leaves libpq's COPY state, up to the results that end the statement.
  func abandonCopy(isIn: Bool, _ watch: OperationWatch) throws {
    if isIn {
      guard PQputCopyEnd(pointer, "given up by the client") == 1 else { throw lost(watch) }
    } else {
      while try gatherCopyChunk(watch) != nil {}
    }
  }
}
