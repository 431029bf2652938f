import Catalog
import ObjectStore
import Synchronization

/// Steps of a pull on their way to their checkpoint: while one batch of them is committed, the next ones are brought.
///
/// One task puts them in, another one takes all that wait. What waits is written and not yet durable: a crash costs it, as it
/// costs the page at hand.
final class StepQueue: Sendable {
  /// Steps that wait: enough for one transaction and one round of syncs of many small objects. Each holds an open file.
  static let maximumSteps = 64
  /// Bytes that wait; one object more may begin.
  static let maximumBytes: Int64 = 64_000_000
  /// Staged objects of the process from which on steps wait one at a time: a process often may open 1,024 files.
  static let manyOpenObjects = 256

  private struct State {
    var steps: [PulledStep] = []
    var bytes: Int64 = 0
    /// No step follows.
    var isFinished = false
    /// No step is taken any more.
    var isClosed = false
    var giver: CheckedContinuation<Void, Never>?
    var taker: CheckedContinuation<Void, Never>?

    var hasRoom: Bool {
      guard !steps.isEmpty, !isClosed else { return true }
      let most = StagedObject.openCount < StepQueue.manyOpenObjects ? StepQueue.maximumSteps : 1
      return steps.count < most && bytes < StepQueue.maximumBytes
    }
  }
  private let state = Mutex(State())

  /// Adds a step; waits while too much waits already. A queue that is closed drops it.
  func put(_ step: PulledStep) async {
    await withCheckedContinuation { continuation in
      let isNow = state.withLock { state in
        if state.hasRoom { return true }
        state.giver = continuation
        return false
      }
      if isNow { continuation.resume() }
    }
    let taker = state.withLock { state in
      guard !state.isClosed else { return CheckedContinuation<Void, Never>?.none }
      state.steps.append(step)
      state.bytes += step.object?.bytes ?? 0
      return state.taker.take()
    }
    taker?.resume()
  }

  /// No step follows.
  func finish() {
    let taker = state.withLock { state in
      state.isFinished = true
      return state.taker.take()
    }
    taker?.resume()
  }

  /// All steps that wait, in order, as soon as there is one; nil at the end.
  func takeAll() async -> [PulledStep]? {
    await withCheckedContinuation { continuation in
      let isNow = state.withLock { state in
        if !state.steps.isEmpty || state.isFinished { return true }
        state.taker = continuation
        return false
      }
      if isNow { continuation.resume() }
    }
    let (steps, giver) = state.withLock { state in
      defer { (state.steps, state.bytes) = ([], 0) }
      return (state.steps, state.giver.take())
    }
    giver?.resume()
    return steps.isEmpty ? nil : steps
  }

  /// Takes no more steps: what waits is dropped, and so is what is put in later.
  func close() {
    let giver = state.withLock { state in
      state.isClosed = true
      (state.steps, state.bytes) = ([], 0)
      return state.giver.take()
    }
    giver?.resume()
  }
}
