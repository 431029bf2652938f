extension ProjectSettings {
  /// Reads `sluice.yaml` of a bundle; without the file, or in place of what is wrong in it, the defaults.
  static func read(bundle: ProjectBundle) -> (settings: ProjectSettings, diagnostics: [Diagnostic]) {
    guard let bytes = bundle[path: Project.settingsFile] else { return (ProjectSettings(), []) }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      let place = Place(file: Project.settingsFile, line: 1, column: 1)
      let problem = Diagnostic(
        code: "not_text", place: place, message: "the file is not UTF-8", suggestion: "save it as UTF-8")
      return (ProjectSettings(), [problem])
    }
    return parse(text: text, file: Project.settingsFile)
  }

  /// - Parameter file: How the file is named in diagnostics.
  package static func parse(text: String, file: String) -> (settings: ProjectSettings, diagnostics: [Diagnostic]) {
    let (document, reading) = YAMLReader.read(text: text, file: file)
    guard let document else { return (ProjectSettings(), reading) }
    let diagnostics = reading + ShapeValidator.validate(document, as: .object(ProjectSchema.settings), named: file)
    let settings = ProjectSettings(document: document)
    return (settings, (diagnostics + settings.scalingProblems(document)).sortedByPlace())
  }

  private init(document: YAMLNode) {
    self.init()
    installation = document.text("installation") ?? installation
    databaseURL = document.template("database", in: .none)
    storage = document.location("storage") ?? storage
    secretsDirectory = document["secrets"]?.text("directory") ?? secretsDirectory
    scaling = document["scaling"].map(Scaling.init(node:))
    guard let limits = document["limits"] else { return }
    self.limits = Limits(
      memoryBytes: limits.byteCount("memory") ?? self.limits.memoryBytes,
      threads: limits.integer("threads"), slots: limits.integer("slots") ?? self.limits.slots,
      temporaryBytes: limits.byteCount("temp"), expansion: limits.integer("expansion") ?? self.limits.expansion,
      releases: limits.integer("releases") ?? self.limits.releases)
  }

  /// What no shape says of `scaling`: the keys must fit together, and one job must have room.
  private func scalingProblems(_ document: YAMLNode) -> [Diagnostic] {
    guard let node = document["scaling"], let scaling else { return [] }
    var problems: [Diagnostic] = []
    if scaling.minWorkers > scaling.maxWorkers {
      problems.append(
        Diagnostic(
          code: "scaling_bounds", place: (node["min"] ?? node).place,
          message: "min is \(scaling.minWorkers) and max is \(scaling.maxWorkers)",
          suggestion: "write max: \(scaling.minWorkers), or a lower min"))
    }
    if scaling.maxWorkers == 1 {
      problems.append(
        Diagnostic(
          .warning, code: "scaling_single", place: (node["max"] ?? node).place,
          message: "max is 1: while an earlier release has work left, the current one has no worker",
          suggestion: "write max: 2 or more"))
    }
    if scaling.backlogWithin < .seconds(10) {
      problems.append(
        Diagnostic(
          code: "scaling_backlog", place: (node["backlog_within"] ?? node).place,
          message: "backlog_within is shorter than a worker takes to start", suggestion: "write 10s or more"))
    }
    if case .command(_, _, let patience?, _) = scaling.launcher, patience < .seconds(10) {
      problems.append(
        Diagnostic(
          code: "scaling_patience", place: (node["launcher"]?["patience"] ?? node).place,
          message: "patience is shorter than a worker takes to start: every worker would be stopped before it works",
          suggestion: "write 10s or more"))
    }
    let oneJob = scaling.workerBytes + limits.memoryBytes
    if let memory = scaling.memoryBytes, memory < oneJob {
      problems.append(
        Diagnostic(
          code: "scaling_memory", place: (node["memory"] ?? node).place,
          message: "memory is \(memory / 1_000_000)MB, and one worker with one job may need \(oneJob / 1_000_000)MB "
            + "(worker.memory and limits.memory)",
          suggestion: "write memory: \((oneJob + 999_999) / 1_000_000)MB or more, or a lower limits.memory"))
    }
    return problems
  }
}

extension ProjectSettings.Scaling {
  fileprivate init(node: YAMLNode) {
    self.init()
    minWorkers = node.integer("min") ?? minWorkers
    // A min alone is meant: the default of max does not contradict it.
    maxWorkers = node.integer("max") ?? max(maxWorkers, minWorkers)
    memoryBytes = node.byteCount("memory")
    slotsPerWorker = node["worker"]?.integer("slots")
    workerBytes = node["worker"]?.byteCount("memory") ?? workerBytes
    budgetHours = node.workerBudget("budget")
    backlogWithin = node.duration("backlog_within") ?? backlogWithin
    launcher = node["launcher"].map(ProjectSettings.Launcher.init(node:)) ?? launcher
  }
}

extension ProjectSettings.Launcher {
  fileprivate init(node: YAMLNode) {
    let words = node["command"]?.elements.compactMap(\.text) ?? []
    if !words.isEmpty {
      self = .command(
        words, secrets: node.texts("secrets"), patience: node.duration("patience"), place: node.place)
    } else {
      self = node.text == "none" ? .external : .local
    }
  }
}
