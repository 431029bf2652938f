/// An environment that `sluice env up` made: what it is like, and where its own things are.
///
/// It has the definitions of its model, with the model's overlay, and nothing of them leads out of it: see ``confine(_:)``.
package struct EnvironmentCopy: Sendable, Equatable, Codable {
  /// Placeholder of the URL of the copy's own database; a definition cannot name it.
  package static let databasePlaceholder = "environment_database"
  /// Where a copy finds secrets: names below this one.
  package static let secretsPrefix = "copies/"

  package var name: String
  /// The environment whose overlay and limits it has.
  package var model: String
  /// More than 0, at most 1.
  package var scale: Double
  /// Its own, on the server of the control database.
  package var database: String
  /// A location, as `storage` of `sluice.yaml` is.
  package var storage: String
  /// What it began with; nil: no data.
  package var data: EnvironmentData?

  package init(
    name: String, model: String, scale: Double, database: String, storage: String, data: EnvironmentData? = nil
  ) {
    self.name = name
    self.model = model
    self.scale = scale
    self.database = database
    self.storage = storage
    self.data = data
  }

  /// A pipeline of the model as it is in the copy: no run starts by itself, people and programs outside are told nothing, raw objects
  /// go into the copy's storage, and every target is the copy's own database.
  package func confine(_ pipeline: Pipeline) -> Pipeline {
    var confined = pipeline
    confined.schedule = nil
    confined.notify = []
    confined.raw = RawZone()
    for source in confined.sources.indices {
      for stream in confined.sources[source].streams.indices {
        let reference = StreamReference(
          source: confined.sources[source].name, stream: confined.sources[source].streams[stream].name)
        confined.sources[source].streams[stream].isWithheld = withholds(reference, of: pipeline)
      }
    }
    for index in confined.load.indices {
      let url = ValueTemplate(parts: [.placeholder(Self.databasePlaceholder)], place: confined.load[index].place)
      confined.load[index].kind = .postgres(url: url)
    }
    return confined
  }

  /// Whether a sample reads nothing from the source of a stream. What it would read is neither reduced nor masked; with cursors it
  /// reads on where nothing has a mask.
  private func withholds(_ reference: StreamReference, of pipeline: Pipeline) -> Bool {
    guard let data, data.kind == .sample else { return false }
    guard data.hasCursors else { return true }
    return data.maskedStreams.contains(EnvironmentData.stream(reference, of: pipeline.name))
      || pipeline.curate.contains { $0.from.contains(reference) && $0.columns.contains(where: \.isMaskedInCopies) }
  }

  /// The settings of the model as they are in the copy.
  ///
  /// What counts for the whole copy is multiplied by ``scale``. What one job may take stays, since the copy's jobs are as large.
  package func scaled(_ settings: ProjectSettings) -> ProjectSettings {
    var scaled = settings
    scaled.limits.slots = share(of: settings.limits.slots)
    scaled.limits.threads = settings.limits.threads.map(share(of:))
    guard let scaling = settings.scaling else { return scaled }
    var own = scaling
    own.minWorkers = Int((Double(scaling.minWorkers) * scale).rounded(.down))
    own.maxWorkers = max(share(of: scaling.maxWorkers), own.minWorkers)
    own.slotsPerWorker = scaling.slotsPerWorker.map(share(of:))
    let oneJob = scaling.workerBytes + settings.limits.memoryBytes
    own.memoryBytes = scaling.memoryBytes.map { max(oneJob, Int((Double($0) * scale).rounded(.down))) }
    own.budgetHours = scaling.budgetHours.map { $0 * scale }
    scaled.scaling = own
    return scaled
  }

  /// A part of a number of things, at least one.
  package func share(of count: Int) -> Int { max(1, Int((Double(count) * scale).rounded(.down))) }
}
