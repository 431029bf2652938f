/// The dates of HTTP, in the three notations that RFC 9110 has a recipient read.
enum HTTPDate {
  private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
  private static let days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
  private static let longDays = [
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
  ]

  /// Seconds since 1970 of `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` or `Sun Nov  6 08:49:37 1994`;
  /// nil for anything else. The day of the week is not compared with the date.
  ///
  /// - Parameter now: Seconds since 1970; decides the century of a year of two digits.
  static func seconds(_ text: String, now: Int64) -> Int64? {
    let parts = text.split { $0 == " " || $0 == "\t" }.map(String.init)
    guard let day = parts.first else { return nil }
    if parts.count == 6, days.contains(where: { day == $0 + "," }), isUTC(parts[5]) {
      return instant(year: parts[3], month: parts[2], day: parts[1], clock: parts[4])
    }
    if parts.count == 4, longDays.contains(where: { day == $0 + "," }), isUTC(parts[3]) {
      let date = parts[1].split(separator: "-").map(String.init)
      guard date.count == 3, let year = year(ofTwoDigits: date[2], now: now) else { return nil }
      return instant(year: year, month: date[1], day: date[0], clock: parts[2])
    }
    if parts.count == 5, days.contains(day) {
      let number = parts[2].utf8.count == 1 ? "0" + parts[2] : parts[2]
      return instant(year: parts[4], month: parts[1], day: number, clock: parts[3])
    }
    return nil
  }

  /// `1994-11-06T08:49:37Z`; for people.
  static func text(_ seconds: Int64) -> String { Instant(nanoseconds: Int128(seconds) * 1_000_000_000).text }

  private static func isUTC(_ zone: String) -> Bool { zone == "GMT" || zone == "UTC" }

  private static func instant(year: String, month: String, day: String, clock: String) -> Int64? {
    guard let index = months.firstIndex(of: month), day.utf8.count == 2, clock.utf8.count == 8 else { return nil }
    let number = index + 1
    return Instant("\(year)-\(number < 10 ? "0" : "")\(number)-\(day)T\(clock)Z")
      .map { Int64($0.nanoseconds / 1_000_000_000) }
  }

  /// The nearest year of these two digits: none that is more than 50 years ahead.
  private static func year(ofTwoDigits text: String, now: Int64) -> String? {
    guard text.utf8.count == 2, let digits = Int64(text), digits >= 0 else { return nil }
    // The mean year is exact enough: it matters only 50 years from now.
    let present = 1970 + now / 31_556_952
    guard (1970...9_000).contains(present) else { return nil }
    let year = present / 100 * 100 + digits
    return String(year > present + 50 ? year - 100 : year <= present - 50 ? year + 100 : year)
  }
}
