import FoundationEssentials
import JobModel
import JobStore
import Postgres

extension NewJob {
  /// A job whose payload is a value of the service's own, written as JSON.
  ///
  /// - Throws: `EncodingError`.
  public init(
    kind: String, payload: some Encodable, pipeline: String = "default", uniqueKey: String? = nil, runAt: String? = nil,
    urgencyClass: Int = 0, maximumAttempts: Int = 8, timeLimit: Duration? = nil, label: String? = nil
  ) throws {
    self.init(
      kind: kind, payload: try json(payload), pipeline: pipeline, uniqueKey: uniqueKey, runAt: runAt,
      urgencyClass: urgencyClass, maximumAttempts: maximumAttempts, timeLimit: timeLimit, label: label)
  }
}

extension JobAttempt {
  /// What the job is, for a handler of several kinds.
  public var kind: String { claim.kind }

  /// The job's payload as a value of the handler's own.
  ///
  /// - Throws: ``PayloadUnreadable``, which ends the job: no attempt of this program could read it.
  public func payload<Payload: Decodable>(as type: Payload.Type) throws -> Payload {
    do { return try JSONDecoder().decode(type, from: Data(payload.utf8)) } catch {
      throw PayloadUnreadable(kind: kind, type: "\(type)")
    }
  }

  /// Where the job's last attempt stopped; nil at the first, and where the checkpoint has another format.
  ///
  /// - Throws: ``PayloadUnreadable`` for a checkpoint of this format that does not hold what it says.
  public func checkpoint<State: Decodable>(_ format: CheckpointFormat, as type: State.Type) throws -> State? {
    guard let mark, mark.format == format else { return nil }
    do { return try JSONDecoder().decode(type, from: Data(mark.state.utf8)) } catch {
      throw PayloadUnreadable(kind: "\(format)", type: "\(type)")
    }
  }

  /// As ``checkpoint(format:state:_:)``, with a value of the handler's own as the state.
  public func checkpoint<State: Encodable & Sendable>(
    _ format: CheckpointFormat, _ state: State,
    _ also: @Sendable (PostgresTransaction) async throws -> Void = { _ in }
  ) async throws {
    try await checkpoint(format: format, state: try json(state), also)
  }
}

/// A payload or a checkpoint that is not what its handler reads.
public struct PayloadUnreadable: Failure, Equatable {
  /// The job's kind, or the checkpoint's format.
  public var kind: String
  /// What it was to be read as.
  public var type: String
  public var code: String { "payload_unreadable" }
  public var message: String { "what \"\(kind)\" holds cannot be read as \(type)" }
  public var hint: String? { "look at the job's payload; enqueue it again as its handler reads it" }
  public var isTransient: Bool { false }
}

private func json(_ value: some Encodable) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys]
  return String(decoding: try encoder.encode(value), as: UTF8.self)
}
