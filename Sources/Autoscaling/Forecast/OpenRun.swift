/// A run with its loads that has not ended, and what is left of it.
package struct OpenRun: Sendable, Equatable {
  /// Jobs of one step that stand at the same place.
  package struct Work: Sendable, Equatable {
    package enum Place: Sendable, Equatable {
      /// Waits for other jobs of the run.
      case blocked
      case ready
      /// May begin in so many seconds.
      case later(Double)
      /// Since so many seconds; how far it is (0...1), where it says so.
      case running(seconds: Double, progress: Double?)
    }

    /// The stage's position: jobs of a stage begin after those of the stages before it.
    package var stage: Int
    package var kind: String
    package var label: String
    package var place: Place
    package var jobs: Int

    package init(stage: Int, kind: String, label: String, place: Place, jobs: Int = 1) {
      self.stage = stage
      self.kind = kind
      self.label = label
      self.place = place
      self.jobs = jobs
    }
  }

  package var id: Int64
  package var pipeline: String
  /// Whose workers do its jobs.
  package var release: String
  /// Higher is more important.
  package var priority: Int
  /// Absolute, in seconds. Nil: none.
  package var deadline: Double?
  /// How many jobs of its pipeline may run at once. Nil: no limit.
  package var maxRunning: Int?
  package var work: [Work]

  package init(
    id: Int64, pipeline: String, release: String = "0", priority: Int = 0, deadline: Double? = nil,
    maxRunning: Int? = nil, work: [Work]
  ) {
    self.id = id
    self.pipeline = pipeline
    self.release = release
    self.priority = priority
    self.deadline = deadline
    self.maxRunning = maxRunning
    self.work = work
  }
}
