import FoundationEssentials
import JobModel
import Subprocess
import SystemPackage

/// Makes plain files of compressed raw objects.
///
/// DuckDB reads gzip and zstd by itself, and takes a truncated file for a short one: half a delivery would be curated
/// as if it were whole. The format's own program checks lengths and sums; besides, DuckDB reads a plain file with
/// several threads.
enum Decompression: String {
  case gzip
  case zstd

  /// What the file is by its first bytes; nil: not compressed.
  static func of(_ path: String) throws(StageFailure) -> Decompression? {
    let magic = try firstBytes(of: path)
    if magic.starts(with: [0x1F, 0x8B]) { return .gzip }
    if magic.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) { return .zstd }
    return nil
  }

  /// More than any level of either program needs to expand a file.
  private static let memoryBytes = 512_000_000

  private static func size(of path: String) throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    return (attributes[.size] as? Int) ?? (attributes[.size] as? UInt64).map { Int(clamping: $0) } ?? 0
  }

  private static func firstBytes(of path: String) throws(StageFailure) -> [UInt8] {
    do {
      let file = try FileDescriptor.open(FilePath(path), .readOnly)
      defer { try? file.close() }
      var bytes = [UInt8](repeating: 0, count: 4)
      let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0) }
      return Array(bytes.prefix(count))
    } catch {
      throw StageFailure(
        code: "raw_missing", message: "the raw object \(path) cannot be read",
        hint: "restore it, or skip the run with \"sluice runs skip\"")
    }
  }

  /// Writes the plain bytes of `path` to `target`, and no more of them than `limit` allows: the kernel ends the program that
  /// writes more.
  ///
  /// - Parameter name: How errors call the object.
  /// - Returns: The size of `target`.
  /// - Throws: A terminal ``StageFailure`` where the file is truncated or damaged, or expands to too much.
  func expand(_ path: String, to target: String, name: String, limit: ExpansionLimit) async throws -> Int {
    let compressed = try Self.size(of: path)
    let maximum = limit.maximum(ofCompressed: compressed)
    let source = try FileDescriptor.open(FilePath(path), .readOnly)
    defer { try? source.close() }
    let output = try FileDescriptor.open(
      FilePath(target), .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
    defer { try? output.close() }
    var options = PlatformOptions()
    options.processGroupID = 0
    options.teardownSequence = [.send(signal: .kill, toProcessGroup: true, allowedDurationToNextStep: .seconds(1))]
    let result: ExecutionResult<Void, FileDescriptorOutput, StringOutput<UTF8>>
    do {
      result = try await Subprocess.run(
        .name("setpriv"),
        arguments: [
          "--pdeathsig", "KILL", "--", "prlimit", "--fsize=\(maximum)", "--data=\(Self.memoryBytes)", "--core=0", "--",
          rawValue, "-q", "-dc",
        ],
        environment: .custom(["PATH": "/usr/bin:/bin"]), platformOptions: options,
        input: .fileDescriptor(source, closeAfterSpawningProcess: false),
        output: .fileDescriptor(output, closeAfterSpawningProcess: false), error: .string(limit: 16_384))
    } catch is SubprocessError {
      throw StageFailure(
        code: "tool_missing", message: "the program \(rawValue) could not be run",
        hint: "install the Debian package \(rawValue)")
    }
    let size = try Self.size(of: target)
    guard !result.terminationStatus.isSuccess else { return size }
    let said = result.standardError
    if size >= maximum {
      throw StageFailure(
        code: "expands_too_far", message: "\(name) has \(compressed) bytes and expands to more than \(maximum)",
        hint:
          "if that is right, raise \(limit.key(ofCompressed: compressed)) of sluice.yaml; else have it delivered again")
    }
    if said.contains("No space left") {
      throw StageFailure(
        code: "disk_full", message: "the disk is full while \(name) was expanded to \(target)",
        hint: "free space there; the work goes on by itself", isTransient: true)
    }
    throw StageFailure(
      code: "raw_truncated", message: "\(name) is not a whole \(rawValue) file",
      hint: "have it delivered again; the damaged one stays in raw")
  }
}
