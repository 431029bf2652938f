import JobModel
import Subprocess
import SystemPackage

/// Whether a compressed object is whole. The SQL engine takes a truncated file for a short one, so it is asked of the
/// format's own program, which checks lengths and sums.
enum CompressedBody {
  /// Why the file is damaged, in a few words; nil where it is whole or no program knows its kind.
  ///
  /// - Parameters:
  ///   - path: A local file.
  ///   - compression: `gz` or `zst`.
  /// - Throws: A terminal ``StageFailure`` `tool_missing`.
  static func fault(of path: String, compression: String) async throws -> String? {
    guard let program = ["gz": "gzip", "zst": "zstd"][compression] else { return nil }
    let file = try FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec)
    defer { try? file.close() }
    var options = PlatformOptions()
    options.processGroupID = 0
    options.teardownSequence = [.send(signal: .kill, toProcessGroup: true, allowedDurationToNextStep: .seconds(1))]
    do {
      // Killed with this process: a test of a large file must not outlive its worker.
      let result = try await run(
        .name("setpriv"), arguments: ["--pdeathsig", "KILL", "--", program, "-q", "-t"],
        environment: .custom(["PATH": "/usr/bin:/bin"]), platformOptions: options,
        input: .fileDescriptor(file, closeAfterSpawningProcess: false), output: .discarded, error: .discarded)
      return result.terminationStatus.isSuccess ? nil : "a truncated or damaged \(program) file"
    } catch is SubprocessError {
      throw StageFailure(
        code: "tool_missing", message: "the program \(program) could not be run",
        hint: "install the Debian packages util-linux and \(program)")
    }
  }
}
