import CLibPQ

extension PostgresWire {
  /// Several statements, one flush, one sync. The first that fails gives its name to the error.
  func pipeline(
    _ steps: [(SQLStatement, [PostgresValue])], _ watch: OperationWatch
  ) throws -> [PostgresResult] {
    guard !steps.isEmpty else { return [] }
    let lists = try steps.map { try ParameterList($0.1, of: $0.0) }
    for step in steps { try requireReady(watch, step.0.text) }
    let wasInTransaction = isInTransaction
    do {
      return try run(watch) {
        guard PQenterPipelineMode(pointer) == 1 else { throw unexpected(watch) }
        var replies: [PipelineReply] = []
        for (step, parameters) in zip(steps, lists) {
          let name = prepared.name(of: step.0)
          if let name, name.isNew {
            guard PQsendPrepare(pointer, name.text, step.0.text, 0, nil) == 1 else { throw lost(watch) }
            replies.append(PipelineReply(name: step.0.name, isResult: false))
          }
          try send(step.0, named: name?.text, parameters, watch)
          replies.append(PipelineReply(name: step.0.name, isResult: true))
          // Also within this pipeline; forgotten again where it fails.
          if let name, name.isNew { prepared.keep(name.text, for: step.0) }
        }
        guard PQpipelineSync(pointer) == 1 else { throw lost(watch) }
        return try collectPipeline(replies, watch)
      }
    } catch let error as PostgresError where error.kind == .connectionLost && steps.contains(where: isCommit) {
      throw PostgresError(
        .commitUnknown, operation: error.operation, message: "the connection was lost before the answer to COMMIT came",
        sqlState: error.sqlState, hint: "look whether the work is there before doing it again")
    } catch {
      // Which of them the server came to is not known; their names are never used again.
      for step in steps { prepared.forget(step.0) }
      if !wasInTransaction { rollBack() }
      throw error
    }
  }

  /// What the server answers to one message of a pipeline: a statement's result, or that it is prepared.
  private struct PipelineReply {
    var name: String
    var isResult: Bool
  }

  private func collectPipeline(_ replies: [PipelineReply], _ watch: OperationWatch) throws -> [PostgresResult] {
    var results: [PostgresResult] = []
    var failure: PostgresError?
    for reply in replies {
      let step = OperationWatch(reply.name)
      try awaitReply(watch)
      guard let raw = PQgetResult(pointer) else { throw unexpected(step) }
      let result = ResultStorage(raw, operation: reply.name)
      switch PQresultStatus(raw) {
      case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY:
        if reply.isResult { results.append(PostgresResult(result)) }
      case PGRES_PIPELINE_ABORTED: break
      case PGRES_COPY_IN, PGRES_COPY_OUT:
        // The protocol has no way on from here.
        markBroken()
        throw misplacedCopy(step)
      default: failure = failure ?? error(result, step)
      }
      guard isOpen else { break }
      try awaitReply(watch)
      guard PQgetResult(pointer) == nil else { throw unexpected(step) }
    }
    if let failure, !isOpen { throw failure }
    let commitFailure = try awaitSync(watch)
    guard PQexitPipelineMode(pointer) == 1 else { throw unexpected(watch) }
    if let failure = failure ?? commitFailure { throw failure }
    return results
  }

  /// Reads up to the answer to the sync, which is where steps outside a transaction are committed.
  ///
  /// - Returns: The error that undid them all: that of a constraint which is only checked at the end.
  private func awaitSync(_ watch: OperationWatch) throws -> PostgresError? {
    var failure: PostgresError?
    while true {
      try awaitReply(watch)
      guard let raw = PQgetResult(pointer) else {
        // Nil ends the results of an error; without one it is out of turn.
        guard failure != nil, isOpen else { throw failure ?? unexpected(watch) }
        continue
      }
      let result = ResultStorage(raw, operation: watch.name)
      if PQresultStatus(raw) == PGRES_PIPELINE_SYNC { return failure }
      guard failure == nil else { throw unexpected(watch) }
      failure = error(result, watch)
      guard isOpen else { throw failure ?? unexpected(watch) }
    }
  }

  /// Leaves a failed transaction, so that the session can be used again.
  func rollBack() {
    guard isOpen, isInTransaction else { return }
    let watch = OperationWatch("rollback", limit: Self.cancelGrace)
    // A rollback fails only with its session, and the server rolls back then; the first error is the one to tell.
    do { try execute("rollback", watch) } catch { markBroken() }
  }

  private func isCommit(_ step: (SQLStatement, [PostgresValue])) -> Bool {
    let word = step.0.text.prefix { $0.isLetter }.lowercased()
    return word == "commit" || word == "end"
  }
}
