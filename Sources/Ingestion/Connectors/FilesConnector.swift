import Catalog
import JobModel
import ObjectStore
import PipelineDefinition

#if canImport(Glibc)
  import Glibc
#endif

/// Takes the files of a local directory, each one raw object, a checkpoint after each.
///
/// Compressed files stay as they are. What was taken by an earlier run is known by path, size and hash.
package struct FilesConnector: Connector {
  package static let checkpointFormat = CheckpointFormat("ingest.files", 1)
  package static let seesOtherRuns = true

  private let source: FilesSource
  private let stream: PipelineDefinition.Stream
  private let resolver: ValueResolver
  private let projectDirectory: String
  private let seen: Set<SeenFile>
  private let timing: PullTiming

  /// - Parameter seen: The files that completed runs have taken, and those of this run.
  package init(
    source: FilesSource, stream: PipelineDefinition.Stream, resolver: ValueResolver, projectDirectory: String,
    seen: Set<SeenFile>, timing: PullTiming
  ) {
    self.source = source
    self.stream = stream
    self.resolver = resolver
    self.projectDirectory = projectDirectory
    self.seen = seen
    self.timing = timing
  }

  package func pull(from text: String?, in context: PullContext) async throws -> any Pull {
    let directory = try root(label: context.label)
    let match = stream.match ?? "**"
    let state: FilesPullState
    do { state = try text.map(FilesPullState.init(json:)) ?? FilesPullState() } catch {
      throw StageFailure(
        code: "checkpoint_unreadable",
        message: "\(context.label): the checkpoint \(Self.checkpointFormat) cannot be read",
        hint: "start the run anew: `sluice runs retry --from ingest`")
    }
    let glob = Glob(match)
    let files: [SourceFile]
    do {
      files = try await BlockingIO.run { try directory.files().filter { glob.matches($0.path) } }
    } catch let error as SourceDirectory.Unreadable {
      throw Self.failure(error, label: context.label)
    }
    return FilesPull(
      directory: directory, match: match, seen: stream.read == .full ? [] : seen, format: stream.records,
      timing: timing, context: context, files: files, state: state)
  }

  private func root(label: String) throws -> SourceDirectory {
    let location: String
    do { location = try source.at.resolved(with: resolver) } catch let error as TemplateError {
      throw StageFailure(
        code: "value_missing",
        message: "\(label): the \(error.missing.rawValue) \(error.name) is not known to this process",
        hint: "set it where the worker runs", at: "\(error.place)")
    }
    guard location.hasPrefix("file:") else {
      throw StageFailure(
        code: "not_supported", message: "\(label): the location of these files is not supported yet",
        hint: "use a local directory: file:PATH", at: "\(source.at.place)")
    }
    var path = String(location.dropFirst("file:".count))
    if path.hasPrefix("//") { path.removeFirst(2) }
    if path.count > 1, path.hasSuffix("/") { path.removeLast() }
    return SourceDirectory(root: path.hasPrefix("/") ? path : projectDirectory + "/" + path)
  }

  private static func failure(_ error: SourceDirectory.Unreadable, label: String) -> StageFailure {
    let isMissing = error.number == ENOENT || error.number == ENOTDIR
    return StageFailure(
      code: isMissing ? "source_missing" : "source_denied",
      message: "\(label): the directory \(error.path) "
        + (isMissing ? "does not exist" : "cannot be read: \(String(cString: strerror(error.number)))"),
      hint: isMissing ? "create it, or check `files:`" : "let the user of this process read it")
  }
}
