import JobModel
import JobStore

extension Simulation {
  /// Someone enqueues, retries and cancels for as long as faults happen.
  func beginClient() {
    let client = SimulatedProcess(name: "client")
    enqueueNext(client)
    meddle(client)
  }

  private func enqueueNext(_ client: SimulatedProcess) {
    plan(after: random.duration(200...7000), for: client) { [unowned self] in
      guard areFaultsOn else { return }
      let batch = drawBatch()
      let scripts = batch.orders.map { _ in JobScript.drawn(isLoose: batch.isLoose, from: &random) }
      enqueue(batch, scripts, from: client)
      enqueueNext(client)
    }
  }

  private func drawBatch() -> JobBatch {
    let isLoose = random.happens(0.4)
    let orders = (0..<random.integer(in: 1...5)).map { index in
      JobBatch.Order(
        after: isLoose ? [] : (0..<index).filter { _ in random.happens(0.4) },
        maximumAttempts: random.integer(in: 1...4),
        timeLimit: random.happens(0.1) ? random.duration(5000...60_000) : nil,
        uniqueKey: isLoose && random.happens(0.5) ? "key-\(random.integer(in: 1...5))" : nil)
    }
    return JobBatch(
      pipeline: random.happens(0.6) ? "p" : "q", urgencyClass: random.integer(in: 0...2), orders: orders,
      isLoose: isLoose)
  }

  /// A batch of keyed jobs is sent again when its answer was lost: that is what the keys are for.
  private func enqueue(_ batch: JobBatch, _ scripts: [JobScript], from client: SimulatedProcess) {
    send("enqueues jobs", from: client, Int64(batch.orders.count)) { [unowned self] store in
      let written = store.enqueue(batch)
      for (index, job) in written.enumerated() {
        guard let job else { continue }
        counts.jobs += 1
        self.scripts[job] = scripts[index]
        orders[job] = batch.orders[index]
        try invariants.opened(job, batch.orders[index], chunks: scripts[index].chunks)
      }
    } answer: { [unowned self] answer in
      guard answer == nil, batch.orders.allSatisfy({ $0.uniqueKey != nil }), areFaultsOn else { return }
      plan(after: .seconds(1), for: client) { [unowned self] in enqueue(batch, scripts, from: client) }
    }
  }

  private func meddle(_ client: SimulatedProcess) {
    plan(after: random.duration(1000...6000), for: client) { [unowned self] in
      guard areFaultsOn else { return }
      let jobs = orders.keys.sorted()
      if random.happens(0.6) {
        let dead = jobs.filter { [.dead, .cancelled].contains(store.place(of: $0)) }
        if let job = random.element(of: dead) {
          counts.retries += 1
          if random.happens(0.5) {
            send("retries the run of job", from: client, job.rawValue) {
              $0.retryRun(of: job)
            } answer: { _ in
            }
          } else {
            send("retries job", from: client, job.rawValue, mayRepeat: true) {
              $0.retry(job)
            } answer: { _ in
            }
          }
        }
      } else if let job = random.element(of: jobs.filter { store.place(of: $0)?.isTerminal == false }) {
        counts.cancels += 1
        send("cancels job", from: client, job.rawValue) {
          $0.cancel(job)
        } answer: { _ in
        }
      }
      meddle(client)
    }
  }
}
