/// The `Link` header of RFC 8288, as far as pagination uses it.
enum LinkHeader {
  /// The target of the first link whose relations hold `next`; nil where there is none.
  static func next(in headers: [String]) -> String? {
    for header in headers {
      var rest = header[...]
      while let open = rest.firstIndex(of: "<"), let close = rest[open...].firstIndex(of: ">") {
        let target = rest[rest.index(after: open)..<close]
        let parameters = parameters(rest[rest.index(after: close)...])
        if parameters.isNext { return String(target) }
        rest = parameters.rest
      }
    }
    return nil
  }

  /// Reads `; rel="next"; title="a, b"` up to the comma that ends the link.
  private static func parameters(_ text: Substring) -> (isNext: Bool, rest: Substring) {
    var isQuoted = false
    var end = text.endIndex
    var parts: [Substring] = []
    var begin = text.startIndex
    for index in text.indices {
      let sign = text[index]
      if sign == "\"" { isQuoted.toggle() }
      guard !isQuoted, sign == ";" || sign == "," else { continue }
      parts.append(text[begin..<index])
      begin = text.index(after: index)
      if sign == "," {
        end = index
        break
      }
    }
    if end == text.endIndex { parts.append(text[begin...]) }
    let isNext = parts.contains { part in
      let pair = part.split(separator: "=", maxSplits: 1)
      guard pair.count == 2, trimmed(pair[0]).lowercased() == "rel" else { return false }
      return trimmed(pair[1]).lowercased().split(separator: " ").contains("next")
    }
    return (isNext, text[end...])
  }

  private static func trimmed(_ text: Substring) -> String {
    let isEdge: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\"" }
    return String(text.drop(while: isEdge).reversed().drop(while: isEdge).reversed())
  }
}
