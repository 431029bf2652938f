import FoundationEssentials
import Subprocess
import SystemPackage

/// The bytes as the program compresses them.
func compressed(_ bytes: [UInt8], with program: String, in directory: String) async throws -> [UInt8] {
  let result = try await Subprocess.run(
    .name(program), arguments: ["-c"], input: .array(bytes), output: .bytes(limit: 10_000_000))
  guard result.terminationStatus.isSuccess else { throw CompressionFailed(program: program) }
  return result.standardOutput
}

/// So many zeros as the program compresses them; they are never in this process.
func bomb(of bytes: Int, with program: String) async throws -> [UInt8] {
  let result = try await Subprocess.run(
    .name("sh"), arguments: ["-c", "head -c \(bytes) /dev/zero | \(program) -c"], output: .bytes(limit: 10_000_000))
  guard result.terminationStatus.isSuccess else { throw CompressionFailed(program: program) }
  return result.standardOutput
}

struct CompressionFailed: Error { var program: String }
