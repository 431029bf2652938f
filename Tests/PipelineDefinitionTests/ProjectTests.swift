import FoundationEssentials
import JobModel
import PipelineDefinition
import Testing

@Suite("A project directory")
struct ProjectTests {
  private static let pipeline = """
    pipeline: shop
    sources: {shop: {files: {at: "file:drops"}, streams: {orders: {match: "*.csv"}}}}
    curate: {orders: {from: shop.orders, sql: sql/orders.sql}}

    """

  @Test("loads its pipelines, its SQL and the defaults without sluice.yaml")
  func loads() throws {
    try withDirectory(["pipelines/shop.yaml": Self.pipeline, "sql/orders.sql": "select 1"]) { directory in
      let project = try Project.load(directory: directory)
      #expect(project.diagnostics == [])
      #expect(project.environment == "local")
      #expect(project.settings == ProjectSettings())
      #expect(project.settings.storage.source == "file:.sluice/storage")
      #expect(project.pipelines.map(\.name) == ["shop"])
      #expect(try project.pipeline(named: "shop").curate[0].sqlPath == "sql/orders.sql")
      #expect(try project.text(at: "sql/orders.sql") == "select 1")
    }
  }

  @Test("of an engine of the first edition is read and planned by its rules", arguments: [5, 6, nil] as [Int?])
  func edition(schema: Int?) throws {
    try withDirectory(["pipelines/shop.yaml": Self.pipeline, "sql/orders.sql": "select 1"]) { directory in
      var project = try Project.load(directory: directory)
      project.edition = Edition(schema: schema)
      let isFirst = schema == 5
      let payload = try project.pipeline(named: "shop").runPlan.jobs.last?.payload
      #expect(payload == #"{"dataset":"orders","edition":"\#(isFirst ? 1 : 2)"}"#)
      let found = ["over", "unknown_column", "select"].map {
        Diagnostic(code: $0, place: .unknown, message: "", suggestion: nil)
      }
      #expect(project.edition.known(of: [], found).map(\.code) == (isFirst ? ["select"] : found.map(\.code)))
      #expect(project.edition.known(of: found, []).count == 3, "what the parser says, older engines say as well")
    }
  }

  @Test("warns of a stream that no dataset is made from: runs do not read it")
  func unreadStream() throws {
    let text = Self.pipeline.replacing(
      #"orders: {match: "*.csv"}"#, with: #"orders: {match: "*.csv"}, stock: {match: "*.json"}"#)
    try withDirectory(["pipelines/shop.yaml": text, "sql/orders.sql": "select 1"]) { directory in
      let project = try Project.load(directory: directory)
      #expect(project.diagnostics.map(\.severity) == [.warning])
      #expect(
        project.diagnostics.map(\.message)
          == ["no dataset is made from the stream shop.stock: runs do not read it"])
      #expect(try project.pipeline(named: "shop").runPlan.jobs.map(\.label) == ["shop.orders", "orders"])
    }
    let raw = text.replacing("curate: {orders: {from: shop.orders, sql: sql/orders.sql}}\n", with: "")
    try withDirectory(["pipelines/shop.yaml": raw]) { directory in
      let project = try Project.load(directory: directory)
      #expect(project.diagnostics == [], "without datasets all land in raw")
    }
  }

  @Test("tells a missing SQL file at its place, with the one that was meant")
  func missingSQL() throws {
    try withDirectory(["pipelines/shop.yaml": Self.pipeline, "sql/order.sql": "select 1"]) { directory in
      let project = try Project.load(directory: directory)
      #expect(
        project.diagnostics.map(\.description)
          == [
            "pipelines/shop.yaml:3:43: there is no file sql/orders.sql in the project; did you mean \"sql/order.sql\"?"
          ])
      #expect(project.pipelines == [])
      let error = #expect(throws: DefinitionError.self) { try project.pipeline(named: "shop") }
      #expect(error?.code == "missing_file" && error?.at == "pipelines/shop.yaml:3:43")
      #expect(error?.diagnostics.count == 1)
    }
  }

  @Test("tells an unknown pipeline with the one that was meant")
  func unknownPipeline() throws {
    try withDirectory(["pipelines/shop.yaml": Self.pipeline, "sql/orders.sql": "select 1"]) { directory in
      let project = try Project.load(directory: directory)
      let error = #expect(throws: DefinitionError.self) { try project.pipeline(named: "shpo") }
      #expect(error?.code == "unknown_pipeline" && error?.hint == "did you mean \"shop\"?")
      #expect(error?.isTransient == false)
    }
  }

  @Test("refuses a pipeline whose name is not its file's, a dataset of two pipelines, and a stray suffix")
  func names() throws {
    let files = [
      "pipelines/shop.yaml": Self.pipeline,
      "pipelines/store.yaml": Self.pipeline.replacing("pipeline: shop", with: "pipeline: store"),
      "pipelines/third.yaml":
        "pipeline: thrid\nsources: {s: {files: {at: \"file:x\"}, streams: {a: {match: \"*.csv\"}}}}\n",
      "pipelines/old.yml": "", "sql/orders.sql": "select 1",
    ]
    try withDirectory(files) { directory in
      let found = try Project.load(directory: directory).diagnostics.map(\.description)
      #expect(
        found == [
          "pipelines/old.yml:1:1: this file is no pipeline: a pipeline is pipelines/NAME.yaml; rename it to pipelines/old.yaml",
          "pipelines/store.yaml:3:10: the dataset \"orders\" is made at pipelines/shop.yaml:3:10 already; give one of the two another name",
          "pipelines/third.yaml:1:11: the pipeline \"thrid\" is in the file pipelines/third.yaml; write pipeline: third, or rename the file to thrid.yaml",
        ])
    }
  }

  @Test("reads sluice.yaml and refuses what it does not know there")
  func settings() throws {
    let text = """
      installation: acme
      database: ${DB}
      storage: "file:/var/lib/sluice"
      limits: {memory: 2GB, threads: 3, slots: 4, temp: 10GB}
      secrets: {directory: /run/secrets}
      """
    let (settings, none) = ProjectSettings.parse(text: text, file: "sluice.yaml")
    #expect(none == [])
    #expect(settings.installation == "acme")
    #expect(settings.databaseURL?.parts == [.environment("DB")])
    #expect(settings.storage.source == "file:/var/lib/sluice")
    #expect(
      settings.limits
        == ProjectSettings.Limits(memoryBytes: 2_000_000_000, threads: 3, slots: 4, temporaryBytes: 10_000_000_000))
    #expect(settings.secretsDirectory == "/run/secrets")
    let wrong = ProjectSettings.parse(
      text: "limts: {}\nlimits: {memory: 2, slots: 0}\nlauncher: {}\nstorage: s3://b\n", file: "sluice.yaml")
    #expect(
      wrong.diagnostics.map(\.description) == [
        "sluice.yaml:1:1: unknown key \"limts\"; did you mean \"limits\"?",
        "sluice.yaml:2:18: memory: \"2\" has no unit; write 2MB or 2GB",
        "sluice.yaml:2:28: \"slots\" must be a whole number of 1 to 256",
        "sluice.yaml:3:1: \"launcher\" is not supported yet; write it under scaling: {launcher: local}",
        "sluice.yaml:4:10: locations of the kind \"s3:\" are not supported yet; use file:PATH",
      ])
  }

  @Test("reads how many workers there may be; without the key there is no scaling")
  func scaling() {
    #expect(ProjectSettings.parse(text: "limits: {slots: 4}\n", file: "sluice.yaml").settings.scaling == nil)
    let text = """
      scaling: {min: 1, max: 6, memory: 12GB, worker: {slots: 3, memory: 1GB}, budget: 200h/month, backlog_within: 2m, launcher: local}
      """
    let (settings, none) = ProjectSettings.parse(text: text, file: "sluice.yaml")
    #expect(none == [])
    #expect(
      settings.scaling
        == ProjectSettings.Scaling(
          minWorkers: 1, maxWorkers: 6, memoryBytes: 12_000_000_000, slotsPerWorker: 3, workerBytes: 1_000_000_000,
          budgetHours: 200, backlogWithin: .seconds(120)))
    #expect(ProjectSettings.parse(text: "scaling: {}\n", file: "s").settings.scaling == ProjectSettings.Scaling())
    #expect(ProjectSettings.parse(text: "scaling: {min: 20}\n", file: "s").settings.scaling?.maxWorkers == 20)
  }

  @Test("reads what starts workers")
  func launcher() {
    func read(_ launcher: String) -> (ProjectSettings.Launcher?, [String]) {
      let (settings, problems) = ProjectSettings.parse(text: "scaling: {launcher: \(launcher)}\n", file: "s")
      return (settings.scaling?.launcher, problems.map(\.description))
    }
    #expect(read("local") == (.local, []))
    #expect(read("none") == (.external, []))
    let command = read("{command: [ops/launch, --fast], secrets: [control], patience: 5m}")
    #expect(
      command
        == (
          .command(
            ["ops/launch", "--fast"], secrets: ["control"], patience: .seconds(300),
            place: Place(file: "s", line: 1, column: 21)), []
        ))
    for wrong in ["ecs", "{}", "{command: []}", "{command: ops/launch}", "{command: [a], patience: soon}", "[a]"] {
      #expect(read(wrong).1.count == 1, "\(wrong): \(read(wrong).1)")
    }
  }

  @Test(
    "tells of a scaling that cannot be kept, with the way out",
    arguments: [
      (
        "{max: 1}",
        "s:1:16: max is 1: while an earlier release has work left, the current one has no worker; write max: 2 or more"
      ),
      (
        "{backlog_within: 5s}",
        "s:1:27: backlog_within is shorter than a worker takes to start; write 10s or more"
      ),
      (
        "{launcher: {command: [a], patience: 0s}}",
        "s:1:46: patience is shorter than a worker takes to start: every worker would be stopped before it works; "
          + "write 10s or more"
      ),
      (
        "{launcher: kubernetes}",
        "s:1:21: launcher: unknown value \"kubernetes\"; write local, none or a mapping with command"
      ),
      ("{min: 9, max: 4}", "s:1:16: min is 9 and max is 4; write max: 9, or a lower min"),
      (
        "{memory: 500MB}",
        "s:1:19: memory is 500MB, and one worker with one job may need 1128MB (worker.memory and limits.memory); "
          + "write memory: 1128MB or more, or a lower limits.memory"
      ),
      (
        "{budget: 200h}",
        "s:1:19: budget: \"200h\" is not worker-hours of a month; write a number and h/month, such as 200h/month"
      ),
      ("{budget: 0h/month}", "s:1:19: budget: \"0h/month\" is out of range; write 0.1h/month to 1000000h/month"),
    ])
  func impossibleScaling(text: String, problem: String) {
    let found = ProjectSettings.parse(text: "scaling: \(text)\n", file: "s").diagnostics
    #expect(found.map(\.description) == [problem])
  }

  @Test("refuses every pipeline while its settings are wrong")
  func wrongSettings() throws {
    let files = ["pipelines/shop.yaml": Self.pipeline, "sql/orders.sql": "select 1", "sluice.yaml": "limts: {}\n"]
    try withDirectory(files) { directory in
      let project = try Project.load(directory: directory)
      let error = #expect(throws: DefinitionError.self) { try project.pipeline(named: "shop") }
      #expect(error?.at == "sluice.yaml:1:1")
    }
  }

  @Test("is found from any directory inside it")
  func isFound() throws {
    try withDirectory(["pipelines/shop.yaml": Self.pipeline, "sql/deep/down/a.sql": "select 1"]) { directory in
      #expect(Project.find(from: directory) == directory)
      #expect(Project.find(from: directory + "/sql/deep/down") == directory)
      #expect(Project.find(from: directory + "/sql/../sql/") == directory)
      let above = String(directory[..<(directory.lastIndex(of: "/") ?? directory.endIndex)])
      #expect(Project.find(from: above) != directory)
    }
  }

  @Test("that is none is told so")
  func noProject() throws {
    try withDirectory(["readme.txt": "x"]) { directory in
      let error = #expect(throws: DefinitionError.self) { try Project.load(directory: directory) }
      #expect(error?.code == "no_project")
    }
  }

  @Test("is bundled: sorted, without what is not its definition, the same bytes for the same files")
  func bundle() throws {
    let files = [
      "sluice.yaml": "", "pipelines/shop.yaml": Self.pipeline, "pipelines/a.yaml": "x", "sql/b/c.sql": "select 2",
      "sql/orders.sql": "select 1", "tests/t/given.csv": "a,b", "secrets/token": "hunter2", ".sluice/state": "s",
      "sql/.hidden.swp": "h", "README.md": "r",
    ]
    let bytes = try withDirectory(files) { directory in
      let bundle = try ProjectBundle(directory: directory)
      #expect(
        bundle.files.map(\.path) == [
          "pipelines/a.yaml", "pipelines/shop.yaml", "sluice.yaml", "sql/b/c.sql", "sql/orders.sql",
          "tests/t/given.csv",
        ])
      return bundle.canonicalBytes
    }
    let again = try withDirectory(files) { try ProjectBundle(directory: $0).canonicalBytes }
    #expect(bytes == again)
    let read = try ProjectBundle(canonicalBytes: bytes)
    #expect(read.canonicalBytes == bytes)
    #expect(read[path: "sql/orders.sql"] == Array("select 1".utf8))
    let other = ProjectBundle(files: read.files.map { .init(path: $0.path, bytes: $0.bytes + [10]) })
    #expect(other.canonicalBytes != bytes)
  }

  @Test("comes back from its bundle")
  func unpack() throws {
    let files = ["pipelines/shop.yaml": Self.pipeline, "sql/orders.sql": "select 1"]
    let bundle = try withDirectory(files) { try ProjectBundle(directory: $0) }
    try withDirectory([:]) { directory in
      try bundle.unpack(into: directory + "/deep")
      #expect(try ProjectBundle(directory: directory + "/deep") == bundle)
      let project = Project(bundle: bundle, directory: directory + "/deep", environment: "prod")
      #expect(project.environment == "prod" && project.pipelines.count == 1)
      let bad = ProjectBundle(files: [.init(path: "../out.yaml", bytes: [])])
      #expect(throws: DefinitionError.self) { try bad.unpack(into: directory + "/deep") }
      #expect(!FileManager.default.fileExists(atPath: directory + "/out.yaml"))
    }
  }

  @Test("A damaged bundle is refused", arguments: [0, 5, 17, 20, 40])
  func damagedBundle(length: Int) {
    let whole = ProjectBundle(files: [.init(path: "sql/a.sql", bytes: Array("select 1, 2, 3".utf8))]).canonicalBytes
    #expect(whole.count > 40)
    if length == 17 {
      #expect((try? ProjectBundle(canonicalBytes: Array(whole.prefix(16))))?.files == [])
    }
    let damaged = length == 17 ? Array(whole.prefix(16)) + [65] : Array(whole.prefix(length))
    #expect(throws: DefinitionError.self) { try ProjectBundle(canonicalBytes: damaged) }
  }
}

/// Runs a body in a new directory with these files and removes it afterwards.
func withDirectory<Result>(_ files: [String: String], _ body: (String) throws -> Result) throws -> Result {
  let root = FileManager.default.temporaryDirectory.appending(path: "sluice-definition-\(UUID().uuidString)")
  defer { try? FileManager.default.removeItem(at: root) }
  try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
  for (path, text) in files {
    let url = root.appending(path: path)
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: url)
  }
  return try body(root.path(percentEncoded: false))
}
