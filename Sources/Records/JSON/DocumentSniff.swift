/// What a body's first bytes say it is: an error page that came with status 200 is no data.
package enum DocumentSniff {
  /// Enough for white space, a byte order mark and the first tag.
  package static let wantedBytes = 512

  /// `HTML` or `XML` where the first bytes are certainly that; nil otherwise.
  package static func markup(in bytes: some Collection<UInt8>) -> String? {
    var text = bytes.prefix(wantedBytes)[...]
    if text.starts(with: [0xEF, 0xBB, 0xBF]) { text = text.dropFirst(3) }
    let begin = text.drop { $0 <= 0x20 }
    guard begin.first == UInt8(ascii: "<") else { return nil }
    let lowered = begin.map { (0x41...0x5A).contains($0) ? $0 + 0x20 : $0 }
    if lowered.starts(with: Array("<?xml".utf8)) { return "XML" }
    let signs = ["<!doctype html", "<html", "<head", "<body", "<!--", "<title", "<h1", "<p>"]
    return signs.contains { lowered.starts(with: Array($0.utf8)) } ? "HTML" : nil
  }

  /// The same for a body that was promised as JSON, where any `<` is markup.
  package static func markupInsteadOfJSON(in bytes: some Collection<UInt8>) -> String? {
    if let markup = markup(in: bytes) { return markup }
    return bytes.prefix(wantedBytes).first { $0 > 0x20 } == UInt8(ascii: "<") ? "XML" : nil
  }
}
