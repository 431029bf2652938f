import FoundationEssentials
import JobModel
import PipelineDefinition
import Testing

@Suite("An environment that env up made")
struct EnvironmentCopyTests {
  private static let copy = EnvironmentCopy(
    name: "pr-1", model: "staging", scale: 0.1, database: "sluice-env-pr-1", storage: "file:.sluice/storage-pr-1")

  @Test("has the overlay of its model, no schedule, no notification, no raw zone and no target but its own database")
  func confined() throws {
    let scheduled = Definitions.orders + "schedule: {cron: \"15 3 * * *\", timezone: UTC}\n"
    let files = ["pipelines/orders.yaml": scheduled, "sql/orders.sql": "select 1 as one"]
    try withDirectory(files) { directory in
      let project = try Project.load(directory: directory, environment: "pr-1", copy: Self.copy)
      #expect(project.environment == "pr-1")
      let merged = try #require(
        PipelineParser.parse(text: scheduled, file: "pipelines/orders.yaml", environment: "staging").pipeline)
      #expect(merged.schedule != nil && merged.raw.location != nil)
      let confined = Self.copy.confine(merged)
      #expect(confined.schedule == nil)
      #expect(confined.notify == [])
      #expect(confined.raw.location == nil)
      #expect(confined.load.map(\.tables) == merged.load.map(\.tables))
      #expect(confined.sources == merged.sources)
      for target in confined.load {
        guard case .postgres(let url) = target.kind else { continue }
        #expect(url.parts == [.placeholder(EnvironmentCopy.databasePlaceholder)])
      }
      #expect(project.pipelines == [confined])
      #expect(try project.pipeline(named: "orders").schedule == nil)
    }
  }

  @Test("with a sample reads no source; with cursors those whose datasets have no mask")
  func withheld() throws {
    let text = """
      pipeline: p
      sources: {s: {files: {at: "file:drops"}, streams: {a: {match: a.csv}, b: {match: b.csv}, c: {match: c.csv}}}}
      curate:
        a: {from: s.a, columns: {id: {type: bigint, mask: copies}}}
        b: {from: s.b}
        c: {from: s.c}

      """
    let pipeline = try #require(
      PipelineParser.parse(text: text, file: "pipelines/p.yaml", environment: "local").pipeline)
    let withheld = { (data: EnvironmentData?) in
      var copy = Self.copy
      copy.data = data
      return copy.confine(pipeline).sources[0].streams.filter(\.isWithheld).map(\.name)
    }
    #expect(withheld(nil) == [] && withheld(EnvironmentData(.schema)) == [])
    #expect(withheld(EnvironmentData(.none, hasCursors: true)) == [])
    #expect(withheld(EnvironmentData(.sample, amount: .rows(1))) == ["a", "b", "c"])
    var cursors = EnvironmentData(.sample, amount: .rows(1), hasCursors: true)
    // Another definition has masked it.
    cursors.maskedStreams = ["p/s.c"]
    #expect(withheld(cursors) == ["a", "c"])
    #expect(cursors.asks(like: EnvironmentData(.sample, amount: .rows(1), hasCursors: true)))
  }

  @Test("no definition can name the placeholder of its database")
  func placeholder() {
    let (pipeline, diagnostics) = Definitions.parse(
      Definitions.shortest.replacing("secret:warehouse", with: "{\(EnvironmentCopy.databasePlaceholder)}"),
      file: "pipelines/airports.yaml")
    #expect(pipeline == nil && !diagnostics.isEmpty)
  }

  @Test(
    "has a share of what counts for all of it, and of nothing less than one job needs",
    arguments: [
      (1.0, "8 4 2 10 8GB 100h", [8, 4, 2, 10, 8000, 100]), (0.5, "8 4 2 10 8GB 100h", [4, 2, 1, 5, 4000, 50]),
      (0.1, "8 4 2 10 8GB 100h", [1, 1, 0, 1, 1128, 10]), (0.001, "1 1 0 1 2GB 1h", [1, 1, 0, 1, 1128, 0]),
    ])
  func scaled(scale: Double, text: String, expected: [Int]) {
    let words = text.split(separator: " ")
    let (settings, diagnostics) = ProjectSettings.parse(
      text: """
        limits: {slots: \(words[0]), threads: \(words[1]), memory: 1GB, temp: 5GB}
        scaling: {min: \(words[2]), max: \(words[3]), memory: \(words[4]), budget: \(words[5])/month}
        """, file: "sluice.yaml")
    #expect(!diagnostics.contains { $0.severity == .error }, "\(diagnostics)")
    var copy = Self.copy
    copy.scale = scale
    let scaled = copy.scaled(settings)
    let found = [
      scaled.limits.slots, scaled.limits.threads ?? 0, scaled.scaling?.minWorkers ?? -1,
      scaled.scaling?.maxWorkers ?? -1, (scaled.scaling?.memoryBytes ?? 0) / 1_000_000,
      Int(scaled.scaling?.budgetHours ?? -1),
    ]
    #expect(found == expected)
    #expect(scaled.limits.memoryBytes == settings.limits.memoryBytes)
    #expect(scaled.limits.temporaryBytes == settings.limits.temporaryBytes)
  }

  @Test("reads secrets of its own only, and no variable of Sluice")
  func secrets() throws {
    try withDirectory(["warehouse": "production", "copies/shop": "test"]) { (directory: String) throws in
      let variables = ["SLUICE_SECRET_WAREHOUSE": "production", "SLUICE_DATABASE_URL": "url", "REGION": "eu"]
      let store = SecretStore(directory: directory, environment: { variables[$0] }, copy: "pr-1")
      #expect(try store.secret("shop") == "test")
      #expect(throws: DefinitionError.self) { try store.secret("warehouse") }
      let resolver = store.resolver()
      #expect(throws: DefinitionError.self) { try resolver.secret("warehouse") }
      #expect(resolver.environment("SLUICE_SECRET_WAREHOUSE") == nil)
      #expect(resolver.environment("SLUICE_DATABASE_URL") == nil)
      #expect(resolver.environment("REGION") == "eu")
      let error = #expect(throws: DefinitionError.self) { try store.secret("warehouse") }
      #expect(error?.hint?.contains("secrets/copies/warehouse") == true)
      #expect(error?.description.contains("production") == false)
    }
  }

  @Test(
    "has a name that is taken for no other environment",
    arguments: [
      "prod", "PROD", "pr0d", "pro-d", "prod-", "p_r_o_d", "l0cal", "1ocal", "", "-a", "a.b", "../x", "a/b", "pröd",
      "рrod", "ｐｒｏｄ", "prod\u{200B}", "prod ", "liv\u{0435}", "rnaster", "pr0duct1on", "1ive", "postgres", "storage",
      "storage-x", "template1", "stag1ng", "sta-ging", "a b", "a\u{202E}b", "a\nb",
      String(repeating: "a", count: 41),
    ])
  func refusedName(name: String) {
    #expect(throws: DefinitionError.self) { try EnvironmentName.check(new: name, others: ["staging"]) }
  }

  @Test("may have any other name", arguments: ["pr-123", "dev", "staging-7", "a", "product", "olive", "x_1"])
  func allowedName(name: String) throws {
    try EnvironmentName.check(new: name, others: ["staging", "qa"])
    try EnvironmentName.check(new: name, protected: ["demo"])
  }

  @Test(
    "has no word in its name that is taken for production, or for a protected environment",
    arguments: [
      "prod-eu", "eu-prod", "prod2", "2prod", "my_pr0d_1", "p-rod-2", "prod-2-copy", "production-like", "live-2", "prd",
      "demo-2", "dem0", "the-demo", "tearn-a2", "team-a-test", "x-t-eam-a", "qal",
    ])
  func protectedWord(name: String) {
    #expect(throws: DefinitionError.self) {
      try EnvironmentName.check(new: name, protected: ["demo", "team-a", "qa-1"])
    }
  }

  @Test(
    "names of folders in .sluice are refused for every environment, with the reason",
    arguments: [("postgres", "server"), ("storage", "storages"), ("storage-pr-1", "storages")])
  func folder(name: String, reason: String) throws {
    let error = #expect(throws: DefinitionError.self) { try Project.check(environment: name) }
    #expect(error?.code == "environment_name" && error?.message.contains(reason) == true)
    #expect(throws: Never.self) { try Project.check(environment: "x" + name) }
    // One that an earlier engine has used keeps its name; no new one gets it.
    try withDirectory([".sluice/\(name)/installation": "{}"]) { (directory: String) throws in
      try Project.check(environment: name, in: directory)
      #expect(throws: DefinitionError.self) { try EnvironmentName.check(new: name, others: []) }
    }
    try withDirectory([".sluice/\(name)/raw/x": ""]) { (directory: String) throws in
      let error = #expect(throws: DefinitionError.self) { try Project.check(environment: name, in: directory) }
      #expect(error?.message.contains(reason) == true)
    }
  }

  @Test("knows the environments that a project has overlays for")
  func overlays() throws {
    try withDirectory(["pipelines/orders.yaml": Definitions.orders]) { directory in
      let names = try Project.load(directory: directory).overlayNames
      #expect(names.contains("staging"))
    }
  }
}

@Suite("The mark of an environment's database")
struct EnvironmentMarkerTests {
  @Test("is read back from a comment as it was written")
  func roundTrip() throws {
    var marker = EnvironmentMarker(
      .environment, owner: "sluice", name: "pr-1", model: "prod", scale: 0.1, token: "t", storage: "file:/a 'b\" \\",
      by: "someone@host", folder: "/p", made: 1_000, ttl: 600)
    #expect(marker.expires == 1_600)
    #expect(EnvironmentMarker(comment: try marker.comment()) == marker)
    #expect(!marker.isDue(at: 1_599) && marker.isDue(at: 1_600))
    marker.isProtected = true
    #expect(!marker.isDue(at: 9_999))
    marker.isProtected = false
    marker.expires = nil
    #expect(!marker.isDue(at: .max))
  }

  @Test("is in no other comment", arguments: [nil, "", "{", "[]", "{}", "a note", #"{"sluice":"environment"}"#])
  func other(comment: String?) {
    #expect(EnvironmentMarker(comment: comment) == nil)
  }
}
