import Postgres

/// What stands between this process and the control database.
struct PoolerProbe {
  enum Finding: Equatable {
    case direct
    /// A session of the server for each connection.
    case sessionPooler
    /// A session for each transaction. Locks, LISTEN and prepared statements of a session are lost then.
    case transactionPooler
  }

  let settings: PostgresSettings

  /// Asks PostgreSQL for its process's number: a pooler tells clients another one.
  func look() async throws -> Finding {
    let first = try await PostgresConnection.connect(settings)
    do {
      let server = try await first.query("select pg_backend_pid() as pid", []).first?.int("pid")
      guard server != Int64(first.backendPID) else {
        await first.close()
        return .direct
      }
      let second = try await PostgresConnection.connect(settings)
      let isShared: Bool
      do { isShared = try await shares(first, second) } catch {
        await second.close()
        throw error
      }
      await second.close()
      await first.close()
      return isShared ? .transactionPooler : .sessionPooler
    } catch {
      await first.close()
      throw error
    }
  }

  /// Whether one connection finds what another has left in its session, or misses what it left itself.
  private func shares(_ first: PostgresConnection, _ second: PostgresConnection) async throws -> Bool {
    let set: SQLStatement = "select set_config('sluice.probe', $1, false)"
    for round in 1...3 {
      try await first.query(set, [.text("first \(round)")])
      try await second.query(set, [.text("second \(round)")])
      let found = try await first.query("select current_setting('sluice.probe', true) as found", []).first
      if try found?.optionalString("found") != "first \(round)" { return true }
    }
    return false
  }
}

extension Installation {
  /// - Throws: ``Refusal`` `transaction_pooler`: workers would neither keep locks nor hear of new jobs.
  func refuseTransactionPooler() async throws {
    guard !settings.isPooled, try await PoolerProbe(settings: settings).look() == .transactionPooler else { return }
    throw Refusal(
      code: "transaction_pooler", message: "the \(settings) is behind a pooler that lends sessions for a transaction",
      hint: Self.poolerHint)
  }

  static let poolerHint = "set SLUICE_POLL_ONLY=1, or name PostgreSQL itself in the database's URL"
}
