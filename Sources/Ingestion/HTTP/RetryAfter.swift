/// The `Retry-After` header of RFC 9110: seconds, or the date after which to come back.
enum RetryAfter {
  /// A century: a longer wish counts as this one, so that no date is too large to be told.
  static let largest = Duration.seconds(36_525 * 86_400)

  /// How long to wait; nil where the header says nothing that can be understood.
  ///
  /// - Parameters:
  ///   - header: Whole seconds, seconds with a fraction (which some sources send), or an HTTP date.
  ///   - date: The answer's own `Date` header, by which the source's clock counts; nil: `now` serves.
  ///   - now: Seconds since 1970.
  static func delay(_ header: String, date: String?, now: Int64) -> Duration? {
    let text = header.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed()
    if let seconds = seconds(String(text)) { return seconds }
    guard let until = HTTPDate.seconds(header, now: now) else { return nil }
    let clock = date.flatMap { HTTPDate.seconds($0, now: now) } ?? now
    let (wait, overflow) = until.subtractingReportingOverflow(clock)
    return overflow ? nil : min(largest, .seconds(max(0, wait)))
  }

  /// Reads `120` and `1.5`; finer than a millisecond is rounded up, so that no request comes too early.
  private static func seconds(_ text: String) -> Duration? {
    let parts = text.utf8.split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy { (0x30...0x39).contains($0) } }), let whole = parts.first
    else { return nil }
    guard let seconds = Int64(String(decoding: whole, as: UTF8.self)), .seconds(seconds) < largest else {
      return largest
    }
    guard parts.count == 2 else { return .seconds(seconds) }
    let digits = Array(parts[1])
    let thousandths = (digits.prefix(3) + Array(repeating: 0x30, count: max(0, 3 - digits.count)))
      .reduce(0) { $0 * 10 + Int64($1 - 0x30) }
    let isFiner = digits.dropFirst(3).contains { $0 != 0x30 }
    return .seconds(seconds) + .milliseconds(thousandths + (isFiner ? 1 : 0))
  }
}
