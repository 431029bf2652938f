import Benchmarks
import FoundationEssentials

/// Figures and the machine that they were measured on, for scripts and for people.
struct BenchReport {
  var figures: [Figure]
  var machine: Machine

  var json: JSONValue {
    .object([
      ("figures", .list(figures.map(Self.json))),
      (
        "machine",
        .object([
          ("processor", .text(machine.processor)), ("processors", .int(Int64(machine.processors))),
          ("memory_bytes", .int(machine.memoryBytes)), ("kernel", .text(machine.kernel)),
          ("build", .text(machine.build)), ("busy_before", .double(Figure.rounded(machine.busyBefore))),
          ("sync_ms", .double(Figure.rounded(machine.syncMilliseconds))),
          ("postgresql", .object(machine.server.map { ($0.name, .text($0.value)) })),
        ])
      ),
    ])
  }

  private static func json(_ figure: Figure) -> JSONValue {
    .object([
      ("name", .text(figure.name)), ("value", .double(Figure.rounded(figure.value))), ("unit", .text(figure.unit)),
      ("low", .optional(figure.range.map { Figure.rounded($0.lowerBound) })),
      ("high", .optional(figure.range.map { Figure.rounded($0.upperBound) })), ("beside", .optional(figure.beside)),
      ("beside_value", .optional(figure.besideValue.map(Figure.rounded))),
      ("beside_low", .optional(figure.besideRange.map { Figure.rounded($0.lowerBound) })),
      ("beside_high", .optional(figure.besideRange.map { Figure.rounded($0.upperBound) })),
      ("ratio", .optional(figure.ratio.map(Figure.rounded))), ("target", .optional(figure.target?.description)),
      ("met", figure.met.map { .bool($0) } ?? .null), ("note", .optional(figure.note)),
    ])
  }

  var table: String {
    let header = ["figure", "value", "unit", "range", "beside", "its value", "ratio", "target", "met"]
    let rows = figures.map(Self.row)
    let settings = machine.server.map { "\($0.name) \($0.value)" }.joined(separator: ", ")
    let place =
      "\(machine.processors) × \(machine.processor), \(machine.memoryBytes >> 30) GiB, Linux \(machine.kernel), "
      + "write + fdatasync \(Figure.text(machine.syncMilliseconds)) ms, "
      + "\(Int(machine.busyBefore * 100)) % busy before, \(machine.build) build\nPostgreSQL: \(settings)"
    return TextTable(header, rows).text + "\n\n" + place
  }

  private static func row(_ figure: Figure) -> [String] {
    let range = figure.range.map { "\(Figure.text($0.lowerBound))–\(Figure.text($0.upperBound))" }
    let met = figure.met.map { $0 ? "yes" : "NO" }
    return [
      figure.name, Figure.text(figure.value), figure.unit, range ?? "", figure.beside ?? "",
      figure.besideValue.map(Figure.text) ?? "", figure.ratio.map(Figure.text) ?? "", figure.target?.description ?? "",
      met ?? "",
    ]
  }
}
