// swift-tools-version: 6.2
import PackageDescription

/// Every target is compiled under the same rules: Swift 6 concurrency, and a warning is an error.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let httpClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let subprocess: Target.Dependency = .product(name: "Subprocess", package: "swift-subprocess")
let systemPackage: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let unixSignals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")

func module(
  _ name: String, path: String? = nil, _ dependencies: [Target.Dependency] = [],
  resources: [Resource] = [], exclude: [String] = []
) -> Target {
  .target(
    name: name, dependencies: dependencies, path: path, exclude: exclude, resources: resources,
    swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

let package = Package(
  name: "sluice",
  products: [
    .executable(name: "sluice", targets: ["sluice"]),
    .library(name: "JobStore", targets: ["JobStore", "JobModel", "Postgres"]),
    .library(name: "JobWorker", targets: ["JobWorker", "JobStore", "JobModel", "Postgres"]),
  ],
  dependencies: [
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    // For libYAML alone, its module CYaml: see YAMLEvents.
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
  ],
  targets: [
    .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
    .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CYajl", pkgConfig: "yajl", providers: [.apt(["libyajl-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),

    // C++ over simdjson behind C functions, optimised in debug builds too: it looks at every byte that is read.
    .target(
      name: "CRecordParser", cxxSettings: [.unsafeFlags(["-O2"])], linkerSettings: [.linkedLibrary("simdjson")]),
    .systemLibrary(name: "CSpawn"),

    module("Postgres", ["CLibPQ", "JobModel"]),
    module("EmbeddedPostgres", ["CSpawn", "JobModel", "Postgres", logging]),
    module("JobModel"),
    module("Autoscaling"),
    module("FleetSimulation", ["JobModel", "PipelineDefinition", "Records"]),
    module("AutoscalingSimulation", ["Autoscaling", "FleetSimulation", "JobModel"]),
    module("Migrations", path: "migrations", ["JobModel", "Postgres"], resources: [.embedInCode("sql")]),
    module("JobStore", ["JobModel", "Postgres", "Migrations", logging], resources: [.embedInCode("sql")]),
    module("Catalog", ["JobModel", "JobStore", "Postgres"], resources: [.embedInCode("sql")]),
    module("ObjectStore", ["JobModel", "COpenSSL", logging]),
    module("PipelineDefinition", ["JobModel", "Yams"]),
    module("DuckDB", ["JobModel", logging, subprocess, systemPackage]),
    module("Records", ["JobModel", "PipelineDefinition", "CYajl", "CRecordParser", systemPackage]),
    module(
      "Ingestion",
      [
        "CZlib", "JobModel", "PipelineDefinition", "ObjectStore", "JobStore", "Catalog", "Records", "DuckDB",
        httpClient, nioCore, nioHTTP1, nioPosix, subprocess, systemPackage, logging,
      ]),
    module(
      "Curation",
      [
        "JobModel", "PipelineDefinition", "ObjectStore", "JobStore", "Catalog", "Records", "DuckDB", subprocess,
        systemPackage, logging,
      ]),
    module(
      "Loading",
      ["JobModel", "PipelineDefinition", "ObjectStore", "JobStore", "Catalog", "Postgres", "DuckDB", logging]),
    module("JobWorker", ["Autoscaling", "JobModel", "JobStore", "Migrations", "Postgres", logging, lifecycle]),
    module("Simulation", ["JobModel", "JobStore", "JobWorker", "Postgres"]),
    .executableTarget(name: "simulate", dependencies: ["Simulation"], swiftSettings: strict),
    module("Releases", ["JobModel", "JobStore", "ObjectStore", "Postgres", subprocess, systemPackage]),
    module("Launchers", ["CSpawn", "JobModel", logging]),
    module(
      "Monitoring",
      [
        "JobModel", "JobStore", "Postgres", "PipelineDefinition", httpClient, nioCore, nioHTTP1, subprocess,
        systemPackage, lifecycle, logging,
      ]),
    module(
      "ControlPlane",
      [
        "Autoscaling", "JobModel", "JobStore", "Catalog", "Launchers", "Postgres", logging, nioCore, nioHTTP1,
        lifecycle,
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HummingbirdCore", package: "hummingbird"), nioPosix,
      ]),
    module(
      "Benchmarks",
      [
        "Autoscaling", "ControlPlane", "DuckDB", "JobModel", "Migrations", "Postgres", "JobStore", "JobWorker",
        "Launchers", logging, subprocess,
        systemPackage,
      ], resources: [.embedInCode("sql")]),
    .executableTarget(
      name: "sluice",
      dependencies: [
        "Postgres", "EmbeddedPostgres", "JobModel", "Migrations", "JobStore", "Catalog", "ObjectStore",
        "PipelineDefinition", "DuckDB", "Records", "Ingestion", "Curation", "Loading", "JobWorker", "Launchers",
        "Releases",
        "Monitoring", "ControlPlane", "Benchmarks", "Autoscaling", "AutoscalingSimulation", "FleetSimulation", logging,
        lifecycle,
        unixSignals, httpClient, nioCore, nioHTTP1,
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),

    // A service that embeds the queue: it sees what is public, as a package of someone else would.
    .executableTarget(
      name: "mailroom",
      dependencies: ["JobModel", "JobStore", "JobWorker", "Postgres", logging, lifecycle, unixSignals],
      path: "Examples/Mailroom", exclude: ["README.md"], packageAccess: false, swiftSettings: strict),

    tests("PostgresTests", ["JobModel", "Postgres", "TestSupport"]),
    tests("EmbeddedPostgresTests", ["JobModel", "Postgres", "EmbeddedPostgres", "TestSupport", logging]),
    tests("JobStoreTests", ["JobModel", "JobStore", "Catalog", "Migrations", "Postgres", "TestSupport", logging]),
    tests("JobWorkerTests", ["JobModel", "JobStore", "JobWorker", "Postgres", "TestSupport", logging, lifecycle]),
    tests("JobModelTests", ["JobModel"]),
    tests("AutoscalingTests", ["Autoscaling"]),
    tests("FleetSimulationTests", ["FleetSimulation"]),
    tests("AutoscalingSimulationTests", ["AutoscalingSimulation", "FleetSimulation", "JobModel"]),
    tests(
      "ReleasesTests",
      ["JobModel", "JobStore", "Migrations", "ObjectStore", "Postgres", "Releases", "TestSupport"]),
    tests(
      "ControlPlaneTests",
      ["Autoscaling", "ControlPlane", "JobModel", "JobStore", "Launchers", "Postgres", "TestSupport", logging]),
    tests("MonitoringTests", ["JobStore", "Monitoring", "PipelineDefinition", "Postgres", "TestSupport", logging]),
    tests("SimulationTests", ["JobModel", "JobStore", "JobWorker", "Postgres", "Simulation", "TestSupport"]),
    tests("ObjectStoreTests", ["JobModel", "ObjectStore", "TestSupport"]),
    tests("PipelineDefinitionTests", ["JobModel", "PipelineDefinition", "Yams"]),
    tests("DuckDBTests", ["JobModel", "DuckDB", subprocess, systemPackage, logging]),
    tests("RecordsTests", ["JobModel", "Records"]),
    tests(
      "IngestionTests",
      [
        "JobModel", "JobStore", "Catalog", "Ingestion", "ObjectStore", "PipelineDefinition", "Postgres", "Records",
        "TestSupport", httpClient, nioCore, nioHTTP1, nioPosix, subprocess, systemPackage, logging,
      ]),
    tests(
      "CurationTests",
      [
        "JobModel", "JobStore", "Catalog", "Curation", "DuckDB", "Ingestion", "Loading", "ObjectStore",
        "PipelineDefinition",
        "Postgres", "Records", "TestSupport", subprocess, systemPackage, logging,
      ]),
    tests(
      "LoadingTests",
      [
        "JobModel", "JobStore", "Catalog", "Loading", "DuckDB", "ObjectStore", "PipelineDefinition", "Postgres",
        "EmbeddedPostgres", "TestSupport", subprocess, systemPackage, logging,
      ]),
    tests("BenchmarksTests", ["Benchmarks", "JobStore", "Postgres", "TestSupport"]),
    .executableTarget(
      name: "FaultWorker",
      dependencies: ["JobModel", "JobStore", "JobWorker", "Postgres", logging, lifecycle, unixSignals],
      path: "Tests/FaultWorker", swiftSettings: strict),
    tests("FaultTests", ["FaultWorker", "JobModel", "JobStore", "Launchers", "Migrations", "Postgres", "TestSupport"]),
    tests(
      "SystemTests",
      ["sluice", "mailroom", "DuckDB", "JobModel", "Launchers", "Postgres", "TestSupport", subprocess, systemPackage]),
    tests("HouseRulesTests", []),

    module("TestSupport", ["Postgres", "EmbeddedPostgres", "Launchers", "Migrations", "JobModel", logging]),
  ],
  cxxLanguageStandard: .cxx17
)
