import JobModel

/// Makes a ``Pipeline`` of a document and says what in it does not fit together.
///
/// Works on documents with errors too: what ``ShapeValidator`` has refused is left out, so that one mistake gives one
/// diagnostic and hides no other. Names are looked up in the document, not in what could be built of it.
struct PipelineBuilder {
  let definition: YAMLNode
  var diagnostics: [Diagnostic] = []
  /// What could be built of the streams, by `source.stream`.
  var streams: [StreamReference: Stream] = [:]
  /// What could be built of the datasets, by name.
  var datasets: [String: CurateStep] = [:]

  init(definition: YAMLNode) { self.definition = definition }

  mutating func pipeline() -> Pipeline? {
    checkName()
    let sources = sources()
    let curate = curateSteps()
    let load = loadTargets()
    guard let name = definition.text("pipeline") else { return nil }
    return Pipeline(
      name: name, was: definition.text("was"), owner: definition.text("owner"), schedule: scheduleRule(),
      deadline: deadlineRule(), onDeploy: definition.choice("on_deploy") ?? .finish,
      priority: definition.integer("priority") ?? 0,
      weight: definition["weight"]?.scalar?.number ?? 1, concurrency: definition["limits"]?.integer("concurrency"),
      sources: sources, raw: RawZone(location: definition["raw"]?.location("to")), curate: curate, load: load,
      notify: notifyRules(), place: definition.entry("pipeline")?.place ?? definition.place)
  }

  private mutating func checkName() {
    guard let node = definition["pipeline"], let name = node.text else { return }
    let stem = Place.stem(of: node.place.file)
    guard name != stem else { return }
    add(
      "pipeline_name", at: node.place, "the pipeline \"\(name)\" is in the file \(node.place.file)",
      "write pipeline: \(stem), or rename the file to \(name).yaml")
  }

  private func scheduleRule() -> ScheduleRule? {
    guard let node = definition["schedule"], let cron = node.text("cron").flatMap({ try? ClockText.cron($0) }),
      let timeZone = node.text("timezone")
    else { return nil }
    return ScheduleRule(
      cron: cron, timeZone: timeZone, overlap: node.choice("overlap") ?? .skip,
      catchUp: node.choice("catch_up") ?? .latest)
  }

  private func deadlineRule() -> DeadlineRule? {
    guard let node = definition["deadline"], let time = node.text("loaded_by"), let timeZone = node.text("timezone")
    else { return nil }
    return DeadlineRule(loadedBy: time, timeZone: timeZone)
  }

  private mutating func notifyRules() -> [NotifyRule] {
    (definition["notify"]?.elements ?? []).compactMap { node in
      let channel: NotifyRule.Channel
      if let url = node.template("webhook", in: .environment) {
        channel = .webhook(url)
      } else if let command = node["command"] {
        let words = command.elements.compactMap { $0.template(in: .environment) }
        for word in words where word.isSecret { warnOfArgument(word) }
        channel = .command(words, secrets: node.texts("secrets"))
      } else {
        return nil
      }
      return NotifyRule(when: node.texts("when"), channel: channel, place: node.place)
    }
  }
}

extension PipelineBuilder {
  private mutating func warnOfArgument(_ word: ValueTemplate) {
    warn(
      "secret_in_argument", at: word.place, "every user of the machine can read the arguments of a program",
      "name the secret under \"secrets\", and read it from the program's environment")
  }

  mutating func add(_ code: String, at place: Place, _ message: String, _ suggestion: String?) {
    diagnostics.append(Diagnostic(code: code, place: place, message: message, suggestion: suggestion))
  }

  mutating func warn(_ code: String, at place: Place, _ message: String, _ suggestion: String?) {
    diagnostics.append(Diagnostic(.warning, code: code, place: place, message: message, suggestion: suggestion))
  }

  mutating func later(at place: Place, _ message: String, _ suggestion: String?) {
    diagnostics.append(
      Diagnostic(.notSupportedYet, code: "not_supported_yet", place: place, message: message, suggestion: suggestion))
  }

  /// Every stream of the document, those that cannot be built included.
  var streamNames: [StreamReference] {
    (definition["sources"]?.entries ?? []).flatMap { source in
      (source.value["streams"]?.entries ?? []).map { StreamReference(source: source.key, stream: $0.key) }
    }
  }

  static func didYouMean(_ word: String, among candidates: [String], else fallback: String? = nil) -> String? {
    Spelling.didYouMean(word, among: candidates) ?? fallback
  }
}
