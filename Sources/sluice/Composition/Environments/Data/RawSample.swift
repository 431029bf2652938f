import Catalog
import DuckDB
import JobModel
import PipelineDefinition

/// What raw of the model an environment gets, so that its runs have real input.
///
/// Raw holds every field as it was received, so the masks of datasets say nothing of it. A stream's raw is copied as it is where no dataset of
/// the stream has a mask and there is little of it. Otherwise it is made again, record by record and in the stream's format, from
/// the rows of the sample, where one dataset has the stream's records as they are. All other raw stays where it is.
struct RawSample: Sendable {
  struct Part: Sendable {
    var stream: StreamID
    var definition: PipelineDefinition.Stream
    var source: Source
    /// In the model.
    var bytes: Int64
  }

  enum Source: Sendable {
    /// These objects.
    case whole([RawObject])
    /// From the rows of this dataset of the plan.
    case rows(Int)
  }

  /// More than this is large. Of a stream in all, so that what many small objects hold is reduced too.
  static let wholeBytes: Int64 = 10_000_000

  var parts: [Part] = []
  var leftOut: [SamplePlan.LeftOut] = []

  static func gather(_ plan: SamplePlan, _ catalog: Catalog) async throws -> RawSample {
    var raw = RawSample()
    guard let project = plan.projects.first else { return raw }
    for pipeline in project.pipelines {
      var (parts, leftOut): ([Part], [SamplePlan.LeftOut]) = ([], [])
      for source in pipeline.sources {
        for definition in source.streams {
          let id = StreamID(pipeline: pipeline.name, source: source.name, stream: definition.name)
          var objects = try await catalog.history(of: id, upTo: RunID(.max)).map(\.object)
          if definition.read == .full, let newest = objects.last?.runID { objects.removeAll { $0.runID != newest } }
          guard !objects.isEmpty else { continue }
          switch choose(objects, of: definition, id, pipeline, plan) {
          case .success(let source):
            parts.append(
              Part(stream: id, definition: definition, source: source, bytes: objects.reduce(0) { $0 + $1.bytes }))
          case .failure(let reason):
            leftOut.append(SamplePlan.LeftOut(name: "raw of \(pipeline.name)/\(id)", reason: reason.text))
          }
        }
      }
      leaveOutHalves(&parts, &leftOut, pipeline)
      raw.parts += parts
      raw.leftOut += leftOut
    }
    return raw
  }

  private struct Reason: Error {
    var text: String
    init(_ text: String) { self.text = text }
  }

  private static func choose(
    _ objects: [RawObject], of stream: PipelineDefinition.Stream, _ id: StreamID, _ pipeline: Pipeline,
    _ plan: SamplePlan
  ) -> Result<Source, Reason> {
    let reference = StreamReference(source: id.source, stream: id.stream)
    let isMasked = plan.isMasked(reference, of: pipeline.name)
    let isLarge = objects.reduce(0) { $0 + $1.bytes } > wholeBytes
    let readers = pipeline.curate.filter { $0.from.contains(reference) }
    let dataset = plan.datasets.firstIndex { dataset in
      dataset.last.pipeline == pipeline.name && readers.contains { $0.name == dataset.last.dataset }
    }
    let joins = plan.datasets.indices.contains { index in
      let last = plan.datasets[index].last
      return last.pipeline == pipeline.name && readers.contains { $0.name == last.dataset } && plan.joins(index)
    }
    let obstacle: String
    if readers.count == 1, let step = readers.first, step.sqlPath == nil, step.from.count == 1, let dataset {
      let problem = RecordText.problem(of: stream, plan.datasets[dataset], step)
      if problem == nil, isMasked || isLarge || joins { return .success(.rows(dataset)) }
      obstacle = problem ?? ""
    } else {
      obstacle = "which of its fields become which columns is not known"
    }
    if isMasked { return .failure(Reason("a dataset of it has a mask, and \(obstacle)")) }
    if joins { return .failure(Reason("its rows name others or are named by others, and \(obstacle)")) }
    if isLarge { return .failure(Reason("it is larger than \(wholeBytes / 1_000_000) MB, and \(obstacle)")) }
    return .success(.whole(objects))
  }

  /// A dataset that is made of several streams would be wrong without one of them.
  private static func leaveOutHalves(
    _ parts: inout [Part], _ leftOut: inout [SamplePlan.LeftOut], _ pipeline: Pipeline
  ) {
    var isStable = false
    while !isStable {
      isStable = true
      for step in pipeline.curate {
        let there = step.from.filter { reference in parts.contains { $0.stream.description == "\(reference)" } }
        guard !there.isEmpty, let missing = step.from.first(where: { !there.contains($0) }) else { continue }
        isStable = false
        parts.removeAll { part in there.contains { "\($0)" == part.stream.description } }
        leftOut += there.map {
          SamplePlan.LeftOut(
            name: "raw of \(pipeline.name)/\($0)", reason: "\(step.name) needs \(missing) too, which has none here")
        }
      }
    }
  }
}

extension SamplePlan {
  /// Whether any definition, or what follows from it, masks a column of a dataset that is made of a stream.
  func isMasked(_ stream: StreamReference, of pipeline: String) -> Bool {
    let steps = projects.flatMap { $0.pipelines.filter { $0.name == pipeline }.flatMap(\.curate) }
    return steps.contains { step in
      guard step.from.contains(stream) else { return false }
      return step.columns.contains(where: \.isMaskedInCopies)
        || datasets.contains {
          $0.last.pipeline == pipeline && $0.last.dataset == step.name && !$0.masked.isEmpty
        } || maskedAndLeftOut.contains("\(pipeline).\(step.name)")
    }
  }

  /// The streams of which a dataset is masked, as an environment keeps their names.
  var maskedStreams: [String] {
    let all = projects.flatMap(\.pipelines).flatMap { pipeline in
      pipeline.curate.flatMap(\.from).filter { isMasked($0, of: pipeline.name) }.map {
        EnvironmentData.stream($0, of: pipeline.name)
      }
    }
    return Set(all).sorted()
  }

  /// Whether rows of a dataset name others, or are named.
  func joins(_ index: Int) -> Bool {
    !datasets[index].references.isEmpty || datasets.contains { $0.references.contains { $0.parent == index } }
  }
}
