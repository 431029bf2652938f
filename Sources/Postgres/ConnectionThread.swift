import Glibc

/// A serial executor with a thread of its own, for the calls of one connection, which block.
///
/// The thread ends when the executor is released.
final class ConnectionThread: SerialExecutor {
  private let inbox: JobInbox

  init() {
    let inbox = JobInbox()
    self.inbox = inbox
    startThread {
      while let (job, executor) = inbox.next() {
        job.runSynchronously(on: executor.asUnownedSerialExecutor())
      }
    }
  }

  deinit { inbox.close() }

  func enqueue(_ job: consuming ExecutorJob) { inbox.append(UnownedJob(job), for: self) }

  func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }
}

/// What waits for the thread. Each job keeps the executor alive until it has run.
///
/// A condition variable, because the thread sleeps while there is nothing to do. Sendable because `jobs` and `isClosed`
/// are touched only under `mutex`.
private final class JobInbox: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var jobs: [(job: UnownedJob, executor: ConnectionThread)] = []
  private var isClosed = false

  init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  func append(_ job: UnownedJob, for executor: ConnectionThread) {
    pthread_mutex_lock(mutex)
    jobs.append((job, executor))
    pthread_cond_signal(condition)
    pthread_mutex_unlock(mutex)
  }

  func close() {
    pthread_mutex_lock(mutex)
    isClosed = true
    pthread_cond_signal(condition)
    pthread_mutex_unlock(mutex)
  }

  /// The next job, nil when there will be none any more.
  func next() -> (job: UnownedJob, executor: ConnectionThread)? {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while jobs.isEmpty {
      if isClosed { return nil }
      pthread_cond_wait(condition, mutex)
    }
    // At most a few wait: callers take turns.
    return jobs.removeFirst()
  }
}
