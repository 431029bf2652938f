import FoundationEssentials

/// What the list of a command says: one JSON object a line, with the `id` of a launch. Names of other installations are passed over.
struct LaunchListing {
  struct Problem: Error, Equatable, CustomStringConvertible {
    var description: String
  }

  private struct Line: Decodable {
    var id: String
    var host: String?
    var pid: Int32?
  }

  private static let maxLineBytes = 4096
  private static let maxWorkers = 10_000

  private(set) var workers: [ListedWorker] = []
  private(set) var places: [CommandLauncher.Place: WorkerHandle] = [:]

  /// - Throws: ``Problem``: of a list that is not understood no part is believed.
  init(_ bytes: [UInt8], owner: String) throws(Problem) {
    var known: Set<String> = []
    for (index, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      guard !line.allSatisfy({ $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\r") }) else { continue }
      guard line.count <= Self.maxLineBytes else {
        throw Problem(description: "line \(index + 1) has more than \(Self.maxLineBytes) bytes")
      }
      guard let read = try? JSONDecoder().decode(Line.self, from: Data(line)) else {
        throw Problem(description: "line \(index + 1) is no JSON object with an \"id\"")
      }
      guard Launch.isName(read.id) else {
        throw Problem(description: "line \(index + 1) has an id that is no name of a launch")
      }
      guard let launch = Launch(id: read.id, owner: owner), known.insert(read.id).inserted else { continue }
      guard workers.count < Self.maxWorkers else {
        throw Problem(description: "it has more than \(Self.maxWorkers) workers")
      }
      let handle = WorkerHandle(launch.id)
      workers.append(ListedWorker(handle, launch: launch))
      if let host = read.host, let pid = read.pid { places[.init(host: host, pid: pid)] = handle }
    }
  }
}
