/// The jobs of one run and what each waits for: written to the queue in one transaction.
package struct RunPlan: Sendable, Equatable {
  package struct Job: Sendable, Equatable {
    package var kind: String
    /// `ingest`, `curate` or `load`.
    package var stage: String
    /// What a person calls it: `shop.orders`, `orders`, `warehouse`.
    package var label: String
    package var payload: String
    /// Positions in ``RunPlan/jobs`` of the jobs that must be done first.
    package var after: [Int]
    package var maximumAttempts: Int

    package init(
      kind: String, stage: String, label: String, payload: String, after: [Int] = [], maximumAttempts: Int = 8
    ) {
      self.kind = kind
      self.stage = stage
      self.label = label
      self.payload = payload
      self.after = after
      self.maximumAttempts = maximumAttempts
    }
  }

  package var pipeline: String
  /// Jobs of the run itself: ingest and curate.
  package var jobs: [Job]
  /// One run of its own for each target; `after` counts in ``jobs``.
  package var loads: [Job]

  /// Of its lanes: lower is more urgent.
  package var urgencyClass: Int
  /// How its pipeline's share of the workers compares with another's.
  package var weight: Double
  /// At most so many of its pipeline's jobs run at once, this run's and others'; nil: as many as there are slots.
  package var concurrency: Int?
  /// Whether its jobs go to the engine of the next current release at their next checkpoint.
  package var handsOver: Bool
  /// By when it and its loads must be done; nil: whenever they are.
  package var deadline: DeadlineRule?

  package init(
    pipeline: String, urgencyClass: Int = 0, weight: Double = 1, concurrency: Int? = nil, handsOver: Bool = false,
    deadline: DeadlineRule? = nil, jobs: [Job], loads: [Job]
  ) {
    self.handsOver = handsOver
    self.deadline = deadline
    self.pipeline = pipeline
    self.urgencyClass = urgencyClass
    self.weight = weight
    self.concurrency = concurrency
    self.jobs = jobs
    self.loads = loads
  }
}
