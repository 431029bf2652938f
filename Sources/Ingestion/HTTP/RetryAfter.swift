/// The `Retry-After` header of RFC 9110: seconds, or the date after which to come back.
enum RetryAfter {
  /// A longer wish counts as this one: a snooze beyond it would be the end of the stream.
  static let longest = Duration.seconds(30 * 86_400)

  /// How long to wait; nil where the header says nothing that can be understood.
  ///
  /// - Parameters:
  ///   - date: The answer's own `Date` header, by which the source's clock counts; nil: `now` serves.
  ///   - now: Seconds since 1970.
  static func delay(_ header: String, date: String?, now: Int64) -> Duration? {
    let text = header.filter { $0 != " " || header.contains(",") }
    if !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
      return min(longest, Int64(text).map { .seconds($0) } ?? longest)
    }
    guard let until = seconds(ofDate: header) else { return nil }
    let (wait, overflow) = until.subtractingReportingOverflow(date.flatMap { seconds(ofDate: $0) } ?? now)
    return overflow ? nil : min(longest, .seconds(max(0, wait)))
  }

  /// Reads `Sun, 06 Nov 1994 08:49:37 GMT`, the one notation that may still be sent.
  static func seconds(ofDate text: String) -> Int64? {
    let parts = text.split(separator: " ")
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    guard parts.count == 6, parts[1].count == 2, let month = months.firstIndex(of: String(parts[2])) else { return nil }
    let number = month + 1
    guard let instant = Instant("\(parts[3])-\(number < 10 ? "0" : "")\(number)-\(parts[1])T\(parts[4])Z") else {
      return nil
    }
    return Int64(instant.nanoseconds / 1_000_000_000)
  }
}
