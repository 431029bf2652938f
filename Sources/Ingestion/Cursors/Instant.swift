/// A point in time, in nanoseconds since 1970 in UTC: what a source writes in one of the notations of ISO 8601.
package struct Instant: Sendable, Hashable, Comparable {
  package var nanoseconds: Int128

  package init(nanoseconds: Int128) { self.nanoseconds = nanoseconds }

  package static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

  /// 0001-01-01: the notation has no earlier day.
  package static let earliest = Instant(
    nanoseconds: Int128(daysSince1970(year: 1, month: 1, day: 1)) * 86_400 * 1_000_000_000)

  /// Never before ``earliest``.
  package static func - (left: Instant, lag: Duration) -> Instant {
    let (seconds, attoseconds) = lag.components
    let moved = left.nanoseconds - Int128(seconds) * 1_000_000_000 - Int128(attoseconds / 1_000_000_000)
    return max(earliest, Instant(nanoseconds: moved))
  }

  /// Reads `2024-01-31`, `2024-01-31T10:20`, `2024-01-31 10:20:30.123456+02`, `…Z`; without an offset it is UTC.
  ///
  /// nil for anything else, also for days and hours that do not exist, and for the year 0.
  package init?(_ text: String) {
    var reader = DigitReader(text)
    guard let year = reader.number(4), reader.skip("-"), let month = reader.number(2), reader.skip("-"),
      let day = reader.number(2), year >= 1, (1...12).contains(month),
      (1...Self.days(ofMonth: month, year: year)).contains(day)
    else { return nil }
    var seconds = Int128(Self.daysSince1970(year: year, month: month, day: day)) * 86_400
    var fraction: Int128 = 0
    if reader.skip("T") || reader.skip("t") || reader.skip(" ") {
      guard let hour = reader.number(2), reader.skip(":"), let minute = reader.number(2), hour < 24, minute < 60 else {
        return nil
      }
      seconds += Int128(hour * 3600 + minute * 60)
      if reader.skip(":") {
        guard let second = reader.number(2), second <= 60 else { return nil }
        seconds += Int128(second)
        if reader.skip(".") || reader.skip(",") {
          guard let nanoseconds = reader.fraction() else { return nil }
          fraction = Int128(nanoseconds)
        }
      }
      guard let offset = Self.offset(&reader) else { return nil }
      seconds -= Int128(offset)
    }
    guard reader.isAtEnd else { return nil }
    nanoseconds = seconds * 1_000_000_000 + fraction
  }

  /// `2024-01-31T08:20:30Z`, with as much of a fraction as there is.
  package var text: String {
    let (day, second, fraction) = split
    let clock = "\(Self.padded(second / 3600, 2)):\(Self.padded(second / 60 % 60, 2)):\(Self.padded(second % 60, 2))"
    var digits = Self.padded(fraction, 9)
    while digits.last == "0" { digits.removeLast() }
    return Self.date(day) + "T" + clock + (digits.isEmpty ? "" : "." + digits) + "Z"
  }

  /// `2024-01-31T08:20:30`: for a source that writes its times without an offset.
  package var textWithoutOffset: String { String(text.dropLast()) }

  /// Whether a text of one of the notations says its offset.
  package static func hasOffset(_ text: String) -> Bool {
    text.utf8.dropFirst("2024-01-31".utf8.count).contains { byte in "Zz+-".utf8.contains(byte) }
  }

  /// The day in UTC: `2024-01-31`.
  package var dateText: String { Self.date(split.day) }

  private var split: (day: Int, second: Int, fraction: Int) {
    let perDay: Int128 = 86_400_000_000_000
    var day = nanoseconds / perDay
    if nanoseconds % perDay < 0 { day -= 1 }
    let rest = nanoseconds - day * perDay
    return (Int(day), Int(rest / 1_000_000_000), Int(rest % 1_000_000_000))
  }

  /// Seconds east of UTC; 0 where the text ends; nil where it is no offset.
  private static func offset(_ reader: inout DigitReader) -> Int? {
    if reader.isAtEnd || reader.skip("Z") || reader.skip("z") { return 0 }
    let sign = reader.skip("+") ? 1 : reader.skip("-") ? -1 : 0
    guard sign != 0, let hours = reader.number(2), hours < 24 else { return nil }
    var minutes = 0
    let hasColon = reader.skip(":")
    if hasColon || !reader.isAtEnd {
      guard let number = reader.number(2), number < 60 else { return nil }
      minutes = number
    }
    return sign * (hours * 3600 + minutes * 60)
  }

  private static func days(ofMonth month: Int, year: Int) -> Int {
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    return month == 2 ? (isLeap ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
  }

  /// Counts from March, so that a leap day is the last of its year.
  private static func daysSince1970(year: Int, month: Int, day: Int) -> Int {
    let years = month > 2 ? year : year - 1
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    return years * 365 + years / 4 - years / 100 + years / 400 + dayOfYear - 719_468
  }

  private static func date(_ daysSince1970: Int) -> String {
    let days = daysSince1970 + 719_468
    let era = days / 146_097
    let dayOfEra = days % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * shifted + 2) / 5 + 1
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
  }

  private static func padded(_ number: Int, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}

/// Takes digits and signs from the front of a text.
private struct DigitReader {
  private var rest: Substring.UTF8View

  init(_ text: String) { rest = Substring(text).utf8 }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func skip(_ sign: Unicode.Scalar) -> Bool {
    guard let first = rest.first, first == UInt8(ascii: sign) else { return false }
    rest = rest.dropFirst()
    return true
  }

  /// A number of exactly so many digits.
  mutating func number(_ count: Int) -> Int? {
    let digits = rest.prefix(count)
    guard digits.count == count, digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    rest = rest.dropFirst(count)
    return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
  }

  /// Nanoseconds; what is finer is cut off.
  mutating func fraction() -> Int? {
    let digits = rest.prefix { (0x30...0x39).contains($0) }
    guard !digits.isEmpty else { return nil }
    rest = rest.dropFirst(digits.count)
    let nine = Array(digits.prefix(9)) + Array(repeating: 0x30, count: max(0, 9 - digits.count))
    return nine.reduce(0) { $0 * 10 + Int($1 - 0x30) }
  }
}
