/// What `sluice.yaml` says; every key is optional, so the defaults serve without the file.
package struct ProjectSettings: Sendable, Equatable {
  package struct Limits: Sendable, Equatable {
    /// Of the SQL engine's child process.
    package var memoryBytes: Int
    /// Of the SQL engine; nil: as many as the machine has processors.
    package var threads: Int?
    /// Jobs that one worker works on at a time.
    package var slots: Int
    /// Of all scratch files of an attempt to curate; of the SQL engine's spill files elsewhere; nil: the engine's default.
    package var temporaryBytes: Int?
    /// How many times its compressed size an expanded file may have.
    package var expansion: Int
    /// Releases that may have work to end while another is deployed.
    package var releases: Int

    package init(
      memoryBytes: Int = 1_000_000_000, threads: Int? = nil, slots: Int = 2, temporaryBytes: Int? = nil,
      expansion: Int = 200, releases: Int = 8
    ) {
      self.expansion = expansion
      self.releases = releases
      self.memoryBytes = memoryBytes
      self.threads = threads
      self.slots = slots
      self.temporaryBytes = temporaryBytes
    }
  }

  /// What starts workers.
  package enum Launcher: Sendable, Equatable {
    /// Processes of this machine.
    case local
    /// Nothing of control: another scaler follows the number.
    case external
    /// A command of the user; see docs/launchers.md.
    case command([String], secrets: [String], patience: Duration?, place: Place)
  }

  /// How many workers there are; see docs/scaling.md.
  package struct Scaling: Sendable, Equatable {
    package var minWorkers: Int
    package var maxWorkers: Int
    /// Of all workers and their jobs together; nil: what the machine or its cgroup has.
    package var memoryBytes: Int?
    /// Nil: ``Limits/slots``.
    package var slotsPerWorker: Int?
    /// Of a worker process itself, without its jobs.
    package var workerBytes: Int
    /// Worker-hours that a calendar month may cost; nil: no limit.
    package var budgetHours: Double?
    /// How soon waiting work without a deadline is to be done.
    package var backlogWithin: Duration
    package var launcher = Launcher.local

    package init(
      minWorkers: Int = 0, maxWorkers: Int = 8, memoryBytes: Int? = nil, slotsPerWorker: Int? = nil,
      workerBytes: Int = 128_000_000, budgetHours: Double? = nil, backlogWithin: Duration = .seconds(900)
    ) {
      self.minWorkers = minWorkers
      self.maxWorkers = maxWorkers
      self.memoryBytes = memoryBytes
      self.slotsPerWorker = slotsPerWorker
      self.workerBytes = workerBytes
      self.budgetHours = budgetHours
      self.backlogWithin = backlogWithin
    }
  }

  package static let defaultStorage = "file:.sluice/storage"

  /// Tells installations apart that load into the same target.
  package var installation: String
  /// The control database; nil: `SLUICE_DATABASE_URL`, else the embedded server.
  package var databaseURL: ValueTemplate?
  /// Where raw and curated objects go; a relative path is relative to the project directory.
  package var storage: ValueTemplate
  package var limits: Limits
  /// Nil: as many workers as the command line says.
  package var scaling: Scaling?
  /// How many jobs may run at once where the number of workers follows the work; 1 without ``scaling``, where what runs is not known.
  package var jobsAtOnce: Int { scaling.map { $0.maxWorkers * ($0.slotsPerWorker ?? limits.slots) } ?? 1 }
  /// What one job may take at most: its SQL engine, which has 256 MB at least, and its part of the worker.
  package var mostJobBytes: Double {
    Double(max(limits.memoryBytes, 256_000_000) + (scaling ?? Scaling()).workerBytes)
  }
  /// Relative to the project directory, or absolute.
  package var secretsDirectory: String

  package init(
    installation: String = "default", databaseURL: ValueTemplate? = nil,
    storage: ValueTemplate = ValueTemplate(literal: ProjectSettings.defaultStorage), limits: Limits = Limits(),
    scaling: Scaling? = nil, secretsDirectory: String = "secrets"
  ) {
    self.installation = installation
    self.databaseURL = databaseURL
    self.storage = storage
    self.limits = limits
    self.scaling = scaling
    self.secretsDirectory = secretsDirectory
  }
}
