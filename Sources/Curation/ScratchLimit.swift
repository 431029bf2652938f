import DuckDB
import Glibc
import JobModel
import PipelineDefinition

/// What all files of an attempt in its scratch directory may take together: `limits.temp`. That is expanded and split raw, copies
/// with other line ends, what the SQL engine spills, and the data files before they are stored.
///
/// Programs write these files. So the directory is looked at while they do, and after each file: an attempt may pass the limit by
/// what is written between two looks.
struct ScratchLimit: Sendable {
  let directory: String
  let bytes: Int
  let dataset: String

  private static let interval = Duration.milliseconds(500)

  /// - Throws: A terminal ``StageFailure`` `temp_limit`.
  func check() throws(StageFailure) {
    guard Self.size(of: directory) > bytes else { return }
    throw StageFailure(
      code: "temp_limit",
      message: "dataset \(dataset): the attempt's files take more than \(bytes / 1_000_000) MB of scratch space",
      hint: "raise limits.temp of sluice.yaml, or split the batch")
  }

  /// Whether what is not necessary should not be written any more.
  var isHalfUsed: Bool { Self.size(of: directory) > bytes / 2 }

  /// Does something, and gives it up when the limit is passed, unless a flag says that what counts is done.
  func watching<T: Sendable>(
    until isDone: SharedFlag = SharedFlag(), _ body: @escaping @Sendable () async throws -> T
  ) async throws -> T {
    try await withThrowingTaskGroup(of: T?.self) { group in
      group.addTask { try await body() }
      group.addTask {
        while true {
          try await ContinuousClock().sleep(for: Self.interval)
          if !isDone.isSet { try check() }
        }
      }
      defer { group.cancelAll() }
      guard let first = try await group.next(), let result = first else {
        preconditionFailure("the second task ends with an error only")
      }
      return result
    }
  }

  /// Of all files below a directory. One that is removed at this moment has no size.
  private static func size(of directory: String) -> Int {
    guard let stream = opendir(directory) else { return 0 }
    defer { closedir(stream) }
    var total = 0
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard name != ".", name != ".." else { continue }
      let path = directory + "/" + name
      var status = stat()
      guard lstat(path, &status) == 0 else { continue }
      total += status.st_mode & S_IFMT == S_IFDIR ? size(of: path) : Int(status.st_size)
    }
    return total
  }
}

extension CurationRequest {
  var scratchLimit: ScratchLimit {
    ScratchLimit(directory: scratch, bytes: limits.temporaryBytes, dataset: step.name)
  }
}
