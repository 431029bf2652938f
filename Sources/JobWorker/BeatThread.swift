import Postgres

#if canImport(Glibc)
  import Glibc
#endif

/// A thread of its own for the beats of a worker's lease, and for maintenance: tasks with this preference go on while
/// handlers block every thread
/// of the cooperative pool, and so do their pauses, which do not go through the pool's timers.
final class BeatThread: TaskExecutor {
  private let inbox = Inbox()

  /// The thread ends with ``stop()``.
  init() {
    let inbox = self.inbox
    startThread {
      while let step = inbox.next() {
        switch step {
        case .job(let job, let executor): job.runSynchronously(on: executor.asUnownedTaskExecutor())
        case .wake(let continuation): continuation.resume()
        }
      }
    }
  }

  func enqueue(_ job: consuming ExecutorJob) { inbox.append(UnownedJob(job), for: self) }

  /// Returns after this time; at once when the task is cancelled already. Short times only: a cancellation does not end it.
  func pause(for time: Duration) async throws {
    try Task.checkCancellation()
    await withCheckedContinuation { inbox.wake($0, at: .now + time) }
    try Task.checkCancellation()
  }

  /// Ends the thread once what was asked of it is done.
  func stop() { inbox.close() }

  private enum Step {
    case job(UnownedJob, BeatThread)
    case wake(CheckedContinuation<Void, Never>)
  }

  /// What waits for the thread, and those who wait for a time. Each job keeps the executor alive until it has run.
  ///
  /// Sendable because everything below is touched only under `mutex`.
  private final class Inbox: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var jobs: [(UnownedJob, BeatThread)] = []
    private var sleepers: [(at: ContinuousClock.Instant, continuation: CheckedContinuation<Void, Never>)] = []
    private var isClosed = false

    init() {
      pthread_mutex_init(mutex, nil)
      var attributes = pthread_condattr_t()
      pthread_condattr_init(&attributes)
      // The wall clock may jump.
      pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
      pthread_cond_init(condition, &attributes)
      pthread_condattr_destroy(&attributes)
    }

    deinit {
      pthread_cond_destroy(condition)
      pthread_mutex_destroy(mutex)
      condition.deallocate()
      mutex.deallocate()
    }

    private func locked(_ body: () -> Void) {
      pthread_mutex_lock(mutex)
      body()
      pthread_cond_signal(condition)
      pthread_mutex_unlock(mutex)
    }

    func append(_ job: UnownedJob, for executor: BeatThread) { locked { jobs.append((job, executor)) } }
    func close() { locked { isClosed = true } }
    func wake(_ continuation: CheckedContinuation<Void, Never>, at time: ContinuousClock.Instant) {
      locked { sleepers.append((time, continuation)) }
    }

    /// What to do next, nil when there will be nothing any more.
    func next() -> Step? {
      pthread_mutex_lock(mutex)
      defer { pthread_mutex_unlock(mutex) }
      while true {
        if !jobs.isEmpty {
          let (job, executor) = jobs.removeFirst()
          return .job(job, executor)
        }
        let now = ContinuousClock.now
        if let due = sleepers.firstIndex(where: { $0.at <= now }) {
          return .wake(sleepers.remove(at: due).continuation)
        }
        if isClosed, sleepers.isEmpty { return nil }
        wait(until: sleepers.map(\.at).min(), now: now)
      }
    }

    private func wait(until: ContinuousClock.Instant?, now: ContinuousClock.Instant) {
      guard let until else {
        pthread_cond_wait(condition, mutex)
        return
      }
      let left = now.duration(to: until).components
      var time = timespec()
      clock_gettime(CLOCK_MONOTONIC, &time)
      let nanoseconds = time.tv_nsec + Int(left.attoseconds / 1_000_000_000) + 1
      time.tv_sec += Int(left.seconds) + nanoseconds / 1_000_000_000
      time.tv_nsec = nanoseconds % 1_000_000_000
      pthread_cond_timedwait(condition, mutex, &time)
    }
  }
}
