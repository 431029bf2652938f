import JobModel
import PipelineDefinition

extension EnvironmentData {
  /// What the options of `env up` ask for.
  ///
  /// - Throws: `StageFailure` `usage`.
  static func asked(data: String?, sample: String?, cursors: Bool) throws -> EnvironmentData? {
    let kind: Kind
    if let data {
      guard let known = Kind(rawValue: data) else {
        throw usage("--data: \(data) is unknown", "write --data none, schema or sample")
      }
      kind = known
    } else {
      kind = sample == nil ? .none : .sample
    }
    guard kind == .sample else {
      if sample != nil { throw usage("--sample is of --data sample", "remove --data \(kind.rawValue)") }
      return kind == .none && !cursors ? nil : EnvironmentData(kind, hasCursors: cursors)
    }
    guard let sample else {
      throw usage("--data sample without how much", "write --sample 1%, or a number of rows such as --sample 1000")
    }
    return EnvironmentData(.sample, amount: try amount(sample), hasCursors: cursors)
  }

  private static func amount(_ text: String) throws -> Amount {
    if text.hasSuffix("%"), let percent = Double(text.dropLast()), percent > 0, percent <= 100 {
      return .share(percent / 100)
    }
    if let rows = Int(text), rows > 0 { return .rows(rows) }
    throw usage("--sample: \(text) is no amount", "write a part such as 1%, or a number of rows such as 1000")
  }

  /// As people read it.
  var text: String {
    let data =
      switch amount {
      case nil: kind == .none ? "no data" : "the datasets without rows"
      case .share(let share): "a sample of \((share * 10_000).rounded() / 100)%"
      case .rows(let rows): "a sample of \(rows) rows"
      }
    return hasCursors ? data + " and the cursors" : data
  }

  private static func usage(_ message: String, _ hint: String) -> StageFailure {
    StageFailure(code: "usage", message: message, hint: hint)
  }
}
