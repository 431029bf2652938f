import Catalog
import JobModel
import ObjectStore
import PipelineDefinition

#if canImport(Glibc)
  import Glibc
#endif

/// Takes the files of a local directory, each one raw object.
///
/// Compressed files stay as they are. A file is known by path, size and hash of the version of it that was taken last.
package struct FilesConnector: Connector {
  package static let checkpointFormat = CheckpointFormat("ingest.files", 1)
  package static let partFormat: CheckpointFormat? = CheckpointFormat("ingest.files-part", 1)
  package static let seesOtherRuns = true

  private let source: FilesSource
  private let stream: PipelineDefinition.Stream
  private let resolver: ValueResolver
  private let projectDirectory: String
  private let secretsDirectory: String
  private let seen: @Sendable ([String]) async throws -> Set<SeenFile>
  private let timing: PullTiming

  /// - Parameters:
  ///   - secretsDirectory: Never read, nor is the installation's state; nil: `secrets` of the project.
  ///   - seen: The newest version of each of these files that completed runs, or this one, have taken.
  package init(
    source: FilesSource, stream: PipelineDefinition.Stream, resolver: ValueResolver, projectDirectory: String,
    secretsDirectory: String? = nil, seen: @escaping @Sendable ([String]) async throws -> Set<SeenFile>,
    timing: PullTiming
  ) {
    self.source = source
    self.stream = stream
    self.resolver = resolver
    self.projectDirectory = projectDirectory
    self.secretsDirectory = secretsDirectory ?? projectDirectory + "/secrets"
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
        hint: "start a new run: sluice run PIPELINE")
    }
    let glob = Glob(match)
    let listing: SourceDirectory.Listing
    do {
      listing = try await BlockingIO.run { try directory.listing() }
    } catch let error as SourceDirectory.Unreadable {
      throw error.failure(label: context.label)
    } catch let error as SourceDirectory.TooLarge {
      throw StageFailure(
        code: "source_too_large", message: "\(context.label): \(error.path) has more than \(error.limit)",
        hint: "let `at` name the folder of the files", at: "\(source.at.place)")
    }
    let files = listing.files.filter { glob.matches($0.path) && state.part?.contains($0.path) ?? true }
    // What is not read at all is told once.
    let tellsOthers = (state.part?.number ?? 0) == 0
    return FilesPull(
      directory: directory, match: match, seen: stream.read == .full ? [] : try await seen(files.map(\.path)),
      format: stream.records, timing: timing, context: context, files: files,
      leftOut: tellsOthers ? listing.leftOut.filter { glob.matches($0) } : [],
      foldersNotRead: tellsOthers ? Self.foldersNotRead(listing, match) : [],
      limit: BodyLimit(bytes: source.maximumBody, label: context.label),
      state: state)
  }

  /// Those of which the pattern may want files.
  private static func foldersNotRead(_ listing: SourceDirectory.Listing, _ match: String) -> [String] {
    let glob = Glob(match)
    let wanted = listing.withheld.filter { match.contains("**") || glob.matches($0 + "/x") }
    return wanted.map { "\($0) (secrets or the installation's state)" }
      + listing.tooDeep.map { "\($0.prefix(40))… (more than \(SourceDirectory.maximumDepth) levels)" }
  }

  private func root(label: String) throws -> SourceDirectory {
    let location: String
    do { location = try source.at.resolved(with: resolver) } catch let error as TemplateError {
      throw StageFailure(
        code: "value_missing",
        message: "\(label): the \(error.missing.rawValue) \(error.name) is not known to this process",
        hint: "set it where the worker runs", at: "\(error.place)")
    }
    guard let path = LocationText.path(of: location) else {
      throw StageFailure(
        code: "not_supported", message: "\(label): the location of these files is not supported yet",
        hint: "use a local directory: file:PATH", at: "\(source.at.place)")
    }
    guard !LocationText.leadsOut(path) else {
      throw StageFailure(
        code: "source_location", message: "\(label): the location of these files leads out of the project",
        hint: LocationText.outsideHint, at: "\(source.at.place)")
    }
    let root = path.hasPrefix("/") ? path : projectDirectory + "/" + path
    let withheld = WithheldFolders([secretsDirectory, projectDirectory + "/.sluice"], project: projectDirectory)
    let head = LocationText.literalHead(ofGlob: stream.match ?? "**")
    guard !withheld.holds(root), head.isEmpty || !withheld.holds(root + "/" + head) else {
      throw StageFailure(
        code: "source_private", message: "\(label): \(LocationText.withheldMessage)",
        hint: LocationText.withheldHint, at: "\(source.at.place)")
    }
    return SourceDirectory(root: root, withheld: withheld)
  }
}

extension SourceDirectory {
  func reader(of path: String) -> FileReader { FileReader(path: path, open: { try open($0) }) }
}

extension SourceDirectory.Unreadable {
  /// - Parameter label: The stream's.
  func failure(label: String) -> StageFailure {
    let isMissing = number == ENOENT || number == ENOTDIR
    return StageFailure(
      code: isMissing ? "source_missing" : "source_denied",
      message: isMissing
        ? "\(label): the directory \(path) does not exist"
        : "\(label): \(path) cannot be read: \(String(cString: strerror(number)))",
      hint: isMissing ? "create it, or check `files:`" : "let the user of this process read it")
  }
}
