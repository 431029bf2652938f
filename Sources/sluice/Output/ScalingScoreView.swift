import Autoscaling
import ControlPlane

/// How good predictions were, as text and as JSON.
struct ScalingScoreView {
  let score: ScalingScore

  var text: String {
    guard !score.lines.isEmpty else {
      return "nothing was predicted yet: no attempt has ended while control with scaling ran"
    }
    let table = TextTable(
      ["kind", "of", "predictions", "actual/predicted", "up to the highest %", "in range %", "mean error %", "width"],
      score.lines.map { line in
        [
          line.kind ?? "", line.subject.rawValue, "\(line.score.count)", Self.fixed(line.score.bias),
          Self.percent(line.score.shareWithinHigh), Self.percent(line.score.shareWithinWidth),
          Self.percent(line.score.relativeError), Self.hasWidth(line) ? Self.fixed(line.width) : "",
        ]
      })
    return table.text
  }

  var json: JSONValue {
    .object([
      (
        "scores",
        .list(
          score.lines.map { line in
            .object([
              ("kind", .optional(line.kind)), ("of", .text(line.subject.rawValue)),
              ("predictions", .int(Int64(line.score.count))), ("bias", Self.json(line.score.bias)),
              ("within_high", Self.json(line.score.shareWithinHigh)),
              ("within_range", Self.json(line.score.shareWithinWidth)),
              ("mean_error", Self.json(line.score.relativeError)),
              ("width", Self.hasWidth(line) ? Self.json(line.width) : .null),
            ])
          })
      )
    ])
  }

  private static func hasWidth(_ line: ScalingScore.Line) -> Bool {
    line.subject == .seconds || line.subject == .memory
  }

  private static func json(_ value: Double?) -> JSONValue {
    value.map { .double(($0 * 10_000).rounded() / 10_000) } ?? .null
  }

  private static func percent(_ share: Double?) -> String { share.map { number($0 * 100, digits: 10) } ?? "" }
  private static func fixed(_ value: Double?) -> String { value.map { number($0, digits: 100) } ?? "" }

  private static func number(_ value: Double, digits: Double) -> String {
    guard value.isFinite, abs(value) < 1e12 else { return "?" }
    return "\((value * digits).rounded() / digits)"
  }
}
