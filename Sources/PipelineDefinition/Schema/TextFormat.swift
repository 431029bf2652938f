/// How the text of a value must look.
///
/// Each format is checked by the function that also reads it, so that a value that passes has a reading.
enum TextFormat: Sendable, Equatable {
  /// Any text with at least one character.
  case text
  /// Any text, the empty one included.
  case anyText
  /// One character.
  case character
  /// Text with variables, secrets and placeholders.
  case template(TemplateText.Scope)
  case location
  case duration, byteCount, byteRate, share, change, workerBudget
  case columnType, timeZone, clock, cron, instantOrNumber
  /// How far a cursor may move.
  case cursorLimit
  /// Of a source, stream or dataset: part of paths and SQL.
  case name
  case pipelineName, environmentName
  case field
  case table
  case stream
  /// The key of a dataset.
  case reference
  case projectPath, glob, jsonPath, jsonField
  case retryStatus
  case secretName

  func check(_ text: String) throws(ValueProblem) {
    switch self {
    case .anyText: break
    case .text, .field, .instantOrNumber: try notEmpty(text)
    case .character:
      guard text.count == 1 else {
        throw ValueProblem("\"\(text)\" is not one character", write: "one, such as \";\" or \"\\t\"")
      }
    case .template(let scope): _ = try TemplateText.template(text, in: scope)
    case .location: _ = try LocationText.template(text)
    case .duration: _ = try MeasureText.duration(text)
    case .byteCount: _ = try MeasureText.byteCount(text)
    case .byteRate: _ = try MeasureText.byteRate(text)
    case .share: _ = try MeasureText.share(text)
    case .change: _ = try MeasureText.change(text)
    case .workerBudget: _ = try MeasureText.workerBudget(text)
    case .columnType: _ = try ColumnTypeText.columnType(text)
    case .timeZone: try ClockText.timeZone(text)
    case .clock: try ClockText.timeOfDay(text)
    case .cron: try ClockText.cron(text)
    case .name: try NameText.name(text)
    case .pipelineName, .environmentName: try NameText.dashedName(text)
    case .table: _ = try NameText.table(text)
    case .stream: _ = try NameText.stream(text)
    case .reference: _ = try NameText.reference(text)
    case .projectPath: try PathText.projectPath(text)
    case .glob: try PathText.glob(text)
    case .jsonPath: try PathText.jsonPath(text)
    case .jsonField: try PathText.jsonField(text)
    case .retryStatus: _ = try HTTPRetry.Status(definition: text)
    case .secretName: try NameText.secretName(text)
    case .cursorLimit: _ = try CursorLimitText.ahead(text)
    }
  }

  /// What the reference and the messages call it.
  var title: String {
    switch self {
    case .text, .anyText: "text"
    case .character: "one character"
    case .template: "text"
    case .location: "a location such as file:.sluice/raw"
    case .duration: "a duration such as 10m"
    case .byteCount: "an amount of bytes such as 256MB"
    case .byteRate: "bytes per second such as 40MB/s"
    case .share: "a percentage such as 0.5%"
    case .change: "a range of percentages such as \"-20%..+50%\""
    case .workerBudget: "worker-hours such as 200h/month"
    case .columnType: "a column type such as bigint"
    case .timeZone: "a time zone such as Europe/Zurich"
    case .clock: "a time such as \"05:30\""
    case .cron: "five cron fields"
    case .instantOrNumber: "a value of the cursor's type"
    case .name, .pipelineName, .environmentName: "a name"
    case .cursorLimit: "a time such as now+1d"
    case .field: "a field's name"
    case .table: "a table such as public.orders"
    case .stream: "a stream such as shop.orders"
    case .reference: "a dataset and its columns such as customers(id)"
    case .projectPath: "a path in the project"
    case .glob: "a pattern of paths such as stock/*.csv.gz"
    case .jsonPath: "a path such as $.data[*]"
    case .jsonField: "a path such as $.next"
    case .retryStatus: "a status such as 429, 5xx or timeout"
    case .secretName: "a secret's name such as ops/pager"
    }
  }

  /// Whether a number or a boolean may stand for its text.
  var takesAnyScalar: Bool {
    switch self {
    case .template, .instantOrNumber, .anyText: true
    default: false
    }
  }

  private func notEmpty(_ text: String) throws(ValueProblem) {
    if text.isEmpty { throw ValueProblem("the text is empty", suggestion: "write it, or remove the key") }
  }
}
