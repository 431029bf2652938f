import JobModel

/// One pipeline as its author wrote it, validated, with the environment's overlay applied.
///
/// The order of every list is the order of the file.
package struct Pipeline: Sendable, Equatable {
  package var name: String
  /// The name this pipeline had before; its state moves along.
  package var was: String?
  package var owner: String?
  /// When its runs start by themselves; nil: only when they are asked for.
  package var schedule: ScheduleRule?
  /// By when what its runs bring must be loaded; nil: whenever it is.
  package var deadline: DeadlineRule?
  package var onDeploy: OnDeploy
  /// 0...1000: ahead of pipelines with a lower number.
  package var priority: Int
  /// Of its share of the workers, beside pipelines of the same priority.
  package var weight: Double
  /// At most so many of its jobs run at once; nil: as many as there are slots.
  package var concurrency: Int?
  package var sources: [Source]
  package var raw: RawZone
  package var curate: [CurateStep]
  package var load: [LoadTarget]
  package var notify: [NotifyRule]
  package var place: Place
  /// The rules that its runs are planned by.
  package var edition = Edition.current

  package enum OnDeploy: String, Sendable { case finish, handover }

  package init(
    name: String, was: String? = nil, owner: String? = nil, schedule: ScheduleRule? = nil,
    deadline: DeadlineRule? = nil, onDeploy: OnDeploy = .finish, priority: Int = 0, weight: Double = 1,
    concurrency: Int? = nil,
    sources: [Source] = [], raw: RawZone = RawZone(), curate: [CurateStep] = [], load: [LoadTarget] = [],
    notify: [NotifyRule] = [], place: Place = .unknown
  ) {
    self.name = name
    self.was = was
    self.owner = owner
    self.schedule = schedule
    self.deadline = deadline
    self.onDeploy = onDeploy
    self.priority = priority
    self.weight = weight
    self.concurrency = concurrency
    self.sources = sources
    self.raw = raw
    self.curate = curate
    self.load = load
    self.notify = notify
    self.place = place
  }

  /// The stream that `from:` names: `source.stream`.
  package func stream(_ reference: StreamReference) -> Stream? {
    sources.first { $0.name == reference.source }?.streams.first { $0.name == reference.stream }
  }

  /// Whether each snapshot of a dataset replaces the last: every stream of it is read full, or it is computed from everything.
  package func isFull(_ step: CurateStep) -> Bool {
    step.over == .all || step.from.allSatisfy { stream($0)?.read == .full }
  }

  package func source(named name: String) -> Source? { sources.first { $0.name == name } }
}

/// Where in a file something stands. Lines and columns count from 1.
package struct Place: Sendable, Hashable, CustomStringConvertible {
  package var file: String
  package var line: Int
  package var column: Int

  package init(file: String, line: Int, column: Int) {
    self.file = file
    self.line = line
    self.column = column
  }

  package static let unknown = Place(file: "", line: 0, column: 0)

  package var description: String { "\(file):\(line):\(column)" }
}

/// Where raw objects go.
package struct RawZone: Sendable, Equatable {
  /// A storage location such as `file:.sluice/raw`; nil means the environment's storage.
  package var location: ValueTemplate?
  package init(location: ValueTemplate? = nil) { self.location = location }
}
