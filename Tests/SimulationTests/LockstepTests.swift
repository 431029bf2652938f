import JobModel
import Simulation
import Testing

/// Random calls, applied to the model and to PostgreSQL one after the other: every answer and every table must agree.
@Suite("The modelled store and PostgreSQL in lockstep")
struct LockstepTests {
  private static let steps = 250

  @Test("say the same after every call", arguments: UInt64(1)...12)
  func lockstep(seed: UInt64) async throws {
    let report = try await PostgresQueue.with { postgres in
      var model = ModelledStore()
      return try await Self.firstDifference(seed: seed, &model, &postgres)
    }
    #expect(report == nil, "\(report ?? "")")
  }

  @Test(
    "notice a mistake of the model",
    arguments: [
      SeededMistake.noEpochCheck, .epochResetAtRetry, .chargedYield, .unchargedCrash, .unblocksAtTheFirst,
      .claimWithoutBeat, .keyKeptByTheDead, .retryWithoutKey, .reapForgetsCancel,
      .chargedForOthers, .suspectsInCompany,
    ])
  func notices(mistake: SeededMistake) async throws {
    var differences: [String] = []
    // Most are seen by one of the first seeds; what needs a death by crash with a key is rarer.
    for seed in UInt64(1)...60 where differences.isEmpty {
      let report = try await PostgresQueue.with { postgres in
        var model = ModelledStore(mistake: mistake)
        return try await Self.firstDifference(seed: seed, &model, &postgres)
      }
      differences += [report].compactMap { $0 }
    }
    #expect(!differences.isEmpty)
  }

  @Test("reach every state, and every call acts at times")
  func reach() async throws {
    var places: Set<JobState> = []
    var acted: [String: Int] = [:]
    for seed in UInt64(1)...12 {
      var model = ModelledStore()
      var sequence = OperationSequence(seed: seed, start: model.now)
      for _ in 0..<Self.steps {
        let operation = sequence.next(seeing: model.picture())
        let answer = try await operation.apply(to: &model)
        sequence.learn(answer, to: operation)
        places.formUnion(model.picture().jobs.values.map(\.state))
        if answer.didAct { acted[operation.name, default: 0] += 1 }
      }
    }
    #expect(places == Set(JobState.allCases))
    // Enough of each that a difference in one shows.
    for call in QueueOperation.names { #expect(acted[call, default: 0] >= 4, "\(call) seldom acts") }
  }

  /// Nil, or the seed, the calls up to the one after which the stores differ, and how.
  private static func firstDifference(
    seed: UInt64, _ model: inout ModelledStore, _ postgres: inout PostgresQueue
  ) async throws -> String? {
    var sequence = OperationSequence(seed: seed, start: model.now)
    var done: [String] = []
    for _ in 0..<steps {
      let operation = sequence.next(seeing: model.picture())
      done.append("\(operation)")
      let expected = try await operation.apply(to: &model)
      let answer: QueueOperation.Answer
      do { answer = try await operation.apply(to: &postgres) } catch {
        return
          "seed \(seed): PostgreSQL fails after\n\(done.joined(separator: "\n"))\nwith \(String(reflecting: error))"
      }
      sequence.learn(expected, to: operation)
      var differences = model.picture().differences(from: try await postgres.picture(), named: ("model", "PostgreSQL"))
      if answer != expected { differences.insert("answers: model \(expected); PostgreSQL \(answer)", at: 0) }
      guard differences.isEmpty else {
        return "seed \(seed): they differ after\n\(done.joined(separator: "\n"))\n"
          + differences.joined(separator: "\n")
      }
    }
    return nil
  }
}
