import Catalog
import JobModel
import JobStore
import ObjectStore

/// A kind of source: knows how to bring the bytes of one stream, from the beginning or from a checkpoint.
package protocol Connector: Sendable {
  /// The shape of the state that its pulls leave.
  static var checkpointFormat: CheckpointFormat { get }

  /// The shape of the state of a part of a stream, where one can be brought by several jobs: an engine that does not read it must not bring
  /// the whole stream in the part's place.
  static var partFormat: CheckpointFormat? { get }

  /// Whether a pull that goes on after another run has read the stream sees for itself what that one took. Else it begins anew.
  static var seesOtherRuns: Bool { get }

  /// Older shapes that it goes on from too, and how a state of each becomes one of the present shape.
  static var migrations: [CheckpointFormat: @Sendable (_ state: String) throws -> String] { get }

  /// Starts a pull, or goes on with one.
  ///
  /// - Parameter state: What ``PulledStep/state`` was at the last checkpoint; nil at the start.
  /// - Throws: A ``StageFailure`` that names the stream where the definition cannot be carried out here.
  func pull(from state: String?, in context: PullContext) async throws -> any Pull
}

extension Connector {
  package static var migrations: [CheckpointFormat: @Sendable (_ state: String) throws -> String] { [:] }
  package static var partFormat: CheckpointFormat? { nil }
}

/// One stream being pulled: a step is a page, a body or a file.
package protocol Pull: Sendable {
  /// Stages the next object for the raw zone and says what to commit with it; nil when all is there.
  ///
  /// Is called while what it brought before is still being committed, and says nothing of that.
  ///
  /// - Throws: A ``StageFailure`` naming stream, request and page, or `JobYield` and `JobSnooze`; nothing was left behind.
  mutating func next() async throws -> PulledStep?

  /// The stream's new cursor once ``next()`` has said nil; nil: it stays as it is.
  var newCursor: String? { get }

  /// What a person should know of this pull although it succeeded, such as "no file matches stock/*.csv".
  var remark: String? { get }

  /// What is kept with the run once ``next()`` has said nil.
  var events: [PullEvent] { get }

  /// How many jobs bring the stream, where this pull brings a part of it.
  var partCount: Int? { get }

  /// The states from which several jobs bring what this pull, which has not begun, would bring; fewer than two: it is not to be split.
  func parts(by rule: PartRule) throws -> [String]
}

extension Pull {
  package var events: [PullEvent] { [] }
  package var partCount: Int? { nil }
  package func parts(by rule: PartRule) throws -> [String] { [] }
}

/// What is to be committed, with the steps before it or after them.
package struct PulledStep: Sendable {
  /// The object's manifest row; nil where the source had nothing to keep.
  package var object: NewRawObject?
  /// The object itself, to be published before its row is recorded.
  package var staged: StagedObject?
  /// The checkpoint that covers it, in JSON.
  package var state: String
  /// The object is kept, and the job fails with this.
  package var fault: StageFailure?
  /// The pull ends with this for now, once the step is committed: `JobSnooze` or `JobYield`.
  package var pause: (any Error)?
  /// What is kept with the run now, and not only when the pull is done.
  package var events: [PullEvent] = []

  /// Whether a checkpoint's counts may be added to: not negative, and far from the largest number.
  static func areCounts(_ numbers: [Int64]) -> Bool { numbers.allSatisfy { (0...(1 << 60)).contains($0) } }
}

/// A checkpoint that says of itself what no pull can have done.
struct CheckpointCounts: Error {}

/// What a pull works with.
package struct PullContext: Sendable {
  /// How errors and notes call the stream: `billing.invoices`.
  package var label: String
  package var store: any ObjectStore
  package var keys: RawKeys
  package var report: @Sendable (JobProgress) -> Void
  /// Whether the worker drains; asked during waits.
  package var shouldYield: @Sendable () -> Bool
  /// Says that a wait for this begins, or ends.
  package var waits: @Sendable (_ cause: WaitCause, _ begins: Bool) -> Void
  /// Whether the job was retried by hand after its checkpoint was written: tries and waits of before do not count.
  package var isRetriedByHand: Bool

  package init(
    label: String, store: any ObjectStore, keys: RawKeys, report: @escaping @Sendable (JobProgress) -> Void = { _ in },
    shouldYield: @escaping @Sendable () -> Bool = { false },
    waits: @escaping @Sendable (_ cause: WaitCause, _ begins: Bool) -> Void = { _, _ in }, isRetriedByHand: Bool = false
  ) {
    self.isRetriedByHand = isRetriedByHand
    self.label = label
    self.store = store
    self.keys = keys
    self.report = report
    self.shouldYield = shouldYield
    self.waits = waits
  }

  func waiting<T>(
    for cause: WaitCause, isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> T
  ) async rethrows -> T {
    waits(cause, true)
    defer { waits(cause, false) }
    return try await body()
  }
}

/// The keys of one attempt's raw objects: `raw/PIPELINE/SOURCE/STREAM/RUN/JOB-EPOCH-MARK-SEQUENCE.EXTENSION`.
///
/// Job and epoch make them unique, so that an attempt that lost its lease can never touch another's object. They are numbers
/// of one control database: after that is lost, or restored from a backup, they come again. The process's mark does not.
package struct RawKeys: Sendable {
  package var stream: StreamID
  package var run: RunID
  package var job: JobID
  package var epoch: Int64
  /// Drawn by each process.
  package var mark: String

  package init(stream: StreamID, run: RunID, job: JobID, epoch: Int64, mark: String = "") {
    self.mark = mark
    self.stream = stream
    self.run = run
    self.job = job
    self.epoch = epoch
  }

  package func key(sequence: Int, extension suffix: String) throws -> ObjectKey {
    let attempt = "\(job)-\(epoch)" + (mark.isEmpty ? "" : "-\(mark)")
    return try ObjectKey(
      "raw/\(stream.pipeline)/\(stream.source)/\(stream.stream)/\(run)/\(attempt)-\(sequence).\(suffix)")
  }
}
