/// One of the five fields: which numbers it means.
struct CronField: Sendable, Hashable {
  /// Bit `n` is set where the number `n` is meant.
  private var bits: UInt64 = 0
  /// Whether it begins with `*`, a step or not.
  private(set) var isWildcard = false

  func contains(_ number: Int) -> Bool { bits & (1 << UInt64(number)) != 0 }

  /// Ascending.
  var numbers: [Int] { (0..<64).filter(contains) }

  /// Where a field stands, and what it may say.
  struct Position: Sendable {
    var name: String
    var range: ClosedRange<Int>
    /// The three letters of each number, from the range's first on.
    var names: [String] = []

    static let minute = Position(name: "minute", range: 0...59)
    static let hour = Position(name: "hour", range: 0...23)
    static let day = Position(name: "day", range: 1...31)
    static let month = Position(
      name: "month", range: 1...12,
      names: ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"])
    /// 7 is Sunday, like 0.
    static let weekday = Position(
      name: "weekday", range: 0...7, names: ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"])

    /// What is too much for a step.
    var width: Int { range.upperBound - range.lowerBound }
    var article: String { name == "hour" ? "an" : "a" }
    var form: String {
      let numbers = "\(range.lowerBound) to \(range.upperBound)"
      guard let first = names.first, let last = names.last else { return numbers }
      return "\(numbers) or \(first) to \(last)"
    }
  }

  /// Reads `*`, `5`, `1-5`, `*/15`, `0-30/10`, and lists of them.
  init(_ text: Substring, at position: Position) throws(CronProblem) {
    isWildcard = text.hasPrefix("*")
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let halves = part.split(separator: "/", omittingEmptySubsequences: false)
      guard let first = halves.first, halves.count <= 2, !first.isEmpty else {
        throw Self.problem(part, in: text, at: position)
      }
      let (range, isSingle) = try Self.range(first, at: position)
      var step = 1
      if halves.count == 2 {
        guard let number = Self.number(halves[1]), number > 0 else {
          throw CronProblem("\"\(part)\" has no step: a whole number above 0 follows the /")
        }
        guard number <= position.width else {
          throw CronProblem("the step of \"\(part)\" is larger than the range of \(position.article) \(position.name)")
        }
        guard !isSingle else {
          throw CronProblem(
            "\"\(part)\" is a step of a single \(position.name)",
            suggestion: "write \(first)-\(position.range.upperBound)/\(halves[1])")
        }
        step = number
      }
      for number in stride(from: range.lowerBound, through: range.upperBound, by: step) {
        bits |= 1 << UInt64(position.name == Position.weekday.name ? number % 7 : number)
      }
    }
  }

  private static func range(
    _ text: Substring, at position: Position
  ) throws(CronProblem) -> (ClosedRange<Int>, isSingle: Bool) {
    if text == "*" { return (position.range, false) }
    let ends = text.split(separator: "-", omittingEmptySubsequences: false)
    guard ends.count <= 2, let first = value(ends[0], at: position),
      var last = value(ends[ends.count - 1], at: position)
    else { throw problem(text, in: text, at: position) }
    // SAT-SUN ends on the seventh day.
    if ends.count == 2, last == 0, first > 0, position.name == Position.weekday.name { last = 7 }
    guard first <= last else {
      throw CronProblem(
        "the range \"\(text)\" goes backwards",
        suggestion: "write \(ends[0])-\(position.range.upperBound),\(position.range.lowerBound)-\(ends[1])")
    }
    return (first...last, ends.count == 1)
  }

  private static func value(_ text: Substring, at position: Position) -> Int? {
    if let index = position.names.firstIndex(of: text.uppercased()) { return position.range.lowerBound + index }
    guard let number = number(text), position.range.contains(number) else { return nil }
    return number
  }

  private static func number(_ text: Substring) -> Int? {
    (1...2).contains(text.utf8.count) && text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(text) : nil
  }

  private static func problem(_ part: Substring, in text: Substring, at position: Position) -> CronProblem {
    let what = part.isEmpty ? "an empty part of \"\(text)\"" : "\"\(part)\""
    return CronProblem("\(what) is not \(position.article) \(position.name)", suggestion: "write \(position.form)")
  }
}

/// Why a text is not a schedule, and what to write instead.
package struct CronProblem: Error, Equatable {
  package var message: String
  package var suggestion: String?

  init(_ message: String, suggestion: String? = nil) {
    self.message = message
    self.suggestion = suggestion
  }
}
