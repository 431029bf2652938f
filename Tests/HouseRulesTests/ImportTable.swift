/// Which module may import which: imports point down, siblings do not see each other.
///
/// SwiftPM does not stop an undeclared import, so this table does. ARCHITECTURE.md shows the same table, and a test
/// compares the two. A new row or a new entry is a decision: say why in the commit, or in a decision record.
struct ImportTable {
  struct Row: Equatable {
    /// Modules of this package.
    var modules: Set<String>
    /// Products of other packages.
    var packages: Set<String>
  }

  var rows: [String: Row]

  static let project = ImportTable(rows: [
    "JobModel": row(),
    "Autoscaling": row(),
    // The truth of a simulation must not know the policy that it judges.
    "FleetSimulation": row("JobModel PipelineDefinition Records"),
    "AutoscalingSimulation": row("Autoscaling FleetSimulation JobModel"),
    "Postgres": row("CLibPQ JobModel"),
    "EmbeddedPostgres": row("CSpawn JobModel Postgres", "Logging"),
    "Migrations": row("JobModel Postgres"),
    "JobStore": row("JobModel Migrations Postgres", "Logging"),
    "Catalog": row("JobModel JobStore Postgres"),
    "ObjectStore": row("COpenSSL JobModel", "Logging"),
    "PipelineDefinition": row("JobModel", "CYaml"),
    "DuckDB": row("JobModel", "Logging Subprocess SystemPackage"),
    "Records": row("CRecordParser CYajl JobModel PipelineDefinition", "SystemPackage"),
    "Ingestion": row(
      "CZlib Catalog DuckDB JobModel JobStore ObjectStore PipelineDefinition Postgres Records",
      "AsyncHTTPClient Logging NIOCore NIOHTTP1 NIOPosix Subprocess SystemPackage"),
    "Curation": row(
      "Catalog DuckDB JobModel JobStore ObjectStore PipelineDefinition Postgres Records",
      "Logging Subprocess SystemPackage"),
    "Loading": row("Catalog DuckDB JobModel JobStore ObjectStore PipelineDefinition Postgres Records", "Logging"),
    "JobWorker": row("Autoscaling JobModel JobStore Migrations Postgres", "Logging ServiceLifecycle"),
    "Simulation": row("JobModel JobStore JobWorker Postgres"),
    "simulate": row("Simulation"),
    "Releases": row("JobModel JobStore ObjectStore Postgres", "Subprocess SystemPackage"),
    "Launchers": row("CSpawn JobModel", "Logging"),
    "Monitoring": row(
      "JobModel JobStore PipelineDefinition Postgres",
      "AsyncHTTPClient Logging NIOCore NIOHTTP1 ServiceLifecycle Subprocess SystemPackage"),
    "ControlPlane": row(
      "Autoscaling Catalog JobModel JobStore Launchers Monitoring Postgres",
      "Hummingbird HummingbirdCore Logging NIOCore NIOHTTP1 NIOPosix ServiceLifecycle"),
    "Benchmarks": row(
      "Autoscaling ControlPlane DuckDB JobModel JobStore JobWorker Launchers Migrations Postgres",
      "Logging Subprocess SystemPackage"),
    "sluice": row(
      """
      Autoscaling AutoscalingSimulation Benchmarks Catalog ControlPlane Curation DuckDB EmbeddedPostgres FleetSimulation Ingestion JobModel \
      JobStore JobWorker Launchers Loading Migrations Monitoring ObjectStore PipelineDefinition Postgres Records Releases
      """, "ArgumentParser AsyncHTTPClient Logging NIOCore NIOHTTP1 ServiceLifecycle UnixSignals"),
    "TestSupport": row("EmbeddedPostgres JobModel Launchers Migrations Postgres", "Logging"),
  ])

  /// What comes with the toolchain and the system.
  static let platform: Set<String> = [
    "Foundation", "FoundationEssentials", "Glibc", "Musl", "Synchronization", "Dispatch",
  ]

  private static func row(_ modules: String = "", _ packages: String = "") -> Row {
    Row(modules: words(modules), packages: words(packages))
  }

  private static func words(_ text: String) -> Set<String> { Set(text.split(separator: " ").map(String.init)) }

  /// The imports of a file that the table does not allow.
  func violations(in file: SourceFile) -> [Violation] {
    guard let module = file.module else { return [] }
    guard let row = rows[module] else {
      return [Violation(path: file.path, line: 1, message: "the module \(module) is not in the import table")]
    }
    return file.codeLines.compactMap { number, code in
      guard let imported = Self.importedModule(code), !Self.platform.contains(imported),
        !row.modules.contains(imported), !row.packages.contains(imported)
      else { return nil }
      return Violation(path: file.path, line: number, message: "\(module) must not import \(imported)")
    }
  }

  /// The module of an import declaration, whatever its attributes and kind: `@testable import struct A.B`.
  private static func importedModule(_ code: Substring) -> String? {
    let qualifiers: Set<Substring> = ["public", "package", "internal", "private", "fileprivate"]
    let kinds: Set<Substring> = ["struct", "class", "enum", "actor", "protocol", "func", "var", "let", "typealias"]
    var words = code.split(whereSeparator: \.isWhitespace)[...]
    words = words.drop { $0.hasPrefix("@") || qualifiers.contains($0) }
    guard words.popFirst() == "import" else { return nil }
    words = words.drop { kinds.contains($0) }
    return words.first?.split(separator: ".").first.map(String.init)
  }

  /// The table as ARCHITECTURE.md shows it: rows of `| module | what | imports | packages |`.
  init(rows: [String: Row]) { self.rows = rows }

  init(markdown: String) {
    rows = [:]
    for line in markdown.split(separator: "\n") where line.hasPrefix("| `") {
      let cells = line.split(separator: "|", omittingEmptySubsequences: false).dropFirst().map { cell in
        Set(cell.matches(of: /`(\w+)`/).map { String($0.output.1) })
      }
      guard cells.count >= 4, cells[0].count == 1, let module = cells[0].first else { continue }
      rows[module] = Row(modules: cells[2], packages: cells[3])
    }
  }
}
