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

struct CompressionFailed: Error { var program: String }
