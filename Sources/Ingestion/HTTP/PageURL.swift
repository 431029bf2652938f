import FoundationEssentials
import PipelineDefinition

/// An absolute http or https URL of a request.
struct PageURL: Sendable, Hashable {
  /// As it is sent, without a fragment.
  private(set) var text: String

  /// nil where the text is no absolute http URL with a host, or its port does not exist.
  init?(_ text: String) {
    let text = text.prefix { $0 != "#" }
    guard WebAddress.isUsable(String(text)), let url = URL(string: String(text)) else { return nil }
    // Percent-encoded where it is not ASCII, so that every reading of it below and by others sees the same parts.
    self.text = text.utf8.allSatisfy { $0 < 0x80 } ? String(text) : url.absoluteString
  }

  /// The base without its closing slash, then the path with an opening one; a whole URL in place of the path stays as it is.
  init?(base: String, path: String) {
    if path.hasPrefix("http://") || path.hasPrefix("https://") {
      self.init(path)
      return
    }
    let trimmed = base.hasSuffix("/") ? String(base.dropLast()) : base
    self.init(trimmed + (path.isEmpty || path.hasPrefix("/") || path.hasPrefix("?") ? "" : "/") + path)
  }

  /// What a link in an answer to this request leads to; nil where it is no http URL.
  func resolving(_ link: String) -> PageURL? {
    guard let base = URL(string: text), let url = URL(string: link, relativeTo: base) else { return nil }
    return PageURL(url.absoluteString)
  }

  /// Host and port: whom limits spare.
  var host: String { origin.split(separator: "/").last.map(String.init) ?? "" }

  /// Scheme, host and port: who receives what is sent.
  var origin: String {
    guard let url = URL(string: text), let scheme = url.scheme?.lowercased() else { return "" }
    let port = url.port ?? (scheme == "https" ? 443 : 80)
    return "\(scheme)://\(url.host?.lowercased() ?? ""):\(port)"
  }

  /// Whether it holds a user, and so maybe a password.
  var namesUser: Bool { authority.contains("@") }

  var withoutUser: PageURL {
    guard namesUser else { return self }
    let authority = authority
    var copy = self
    copy.text.replaceSubrange(
      authority.startIndex..<authority.endIndex, with: authority.split(separator: "@").last ?? "")
    return copy
  }

  private var authority: Substring { withoutScheme.prefix { $0 != "/" && $0 != "?" } }

  /// For messages: without query, user and password.
  var path: String {
    let path = withoutScheme.drop { $0 != "/" }.prefix { $0 != "?" }
    return path.isEmpty ? "/" : String(path)
  }

  /// For the manifest: without user and password, and with the values of only those query parameters that `isShown` allows.
  func shown(_ isShown: (String) -> Bool) -> String {
    let scheme = text.prefix { $0 != ":" }
    let host = authority.split(separator: "@").last ?? ""
    let items = query.map { item in
      let name = item.prefix { $0 != "=" }
      return isShown(Self.decoded(String(name))) || !item.contains("=") ? item : name + "=…"
    }
    return "\(scheme)://\(host)\(path == "/" && !withoutScheme.contains("/") ? "" : path)"
      + (items.isEmpty ? "" : "?" + items.joined(separator: "&"))
  }

  /// Sets a query parameter: in the place of the one of that name, or at the end.
  func setting(_ name: String, to value: String) -> PageURL {
    let item = Self.encoded(name) + "=" + Self.encoded(value)
    var items = query
    if let index = items.firstIndex(where: { Self.name(of: $0) == name }) {
      items[index] = item[...]
    } else {
      items.append(item[...])
    }
    return replacingQuery(items)
  }

  func removing(_ name: String) -> PageURL { replacingQuery(query.filter { Self.name(of: $0) != name }) }

  /// Removes a query parameter of this value; one of the same name with another value stays.
  func removing(_ name: String, value: String) -> PageURL {
    replacingQuery(query.filter { !(Self.name(of: $0) == name && Self.value(of: $0) == value) })
  }

  private func replacingQuery(_ items: [Substring]) -> PageURL {
    var copy = self
    copy.text = text.prefix { $0 != "?" } + (items.isEmpty ? "" : "?" + items.joined(separator: "&"))
    return copy
  }

  private var withoutScheme: Substring {
    guard let colon = text.firstIndex(of: ":") else { return text[...] }
    return text[colon...].dropFirst(3)
  }

  private var query: [Substring] {
    guard let mark = text.firstIndex(of: "?") else { return [] }
    return text[text.index(after: mark)...].split(separator: "&")
  }

  private static func name(of item: Substring) -> String { decoded(String(item.prefix { $0 != "=" })) }

  private static func value(of item: Substring) -> String {
    item.firstIndex(of: "=").map { decoded(String(item[item.index(after: $0)...]).replacing("+", with: " ")) } ?? ""
  }

  /// `a b` of `a%20b`; a percent sign without two digits stays.
  private static func decoded(_ text: String) -> String {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      let digits = rest.prefix(2)
      if byte == UInt8(ascii: "%"), digits.count == 2,
        let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
      {
        bytes.append(value)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The text with every occurrence of a value behind the scheme, percent-encoded or not, replaced.
  ///
  /// - Parameter mark: What stands for the value of this index; its second argument says whether the value stood there as it is.
  static func masking(_ text: String, _ values: [String], with mark: (Int, Bool) -> String) -> String {
    let values = values.enumerated().map { (index: $0.offset, bytes: Array($0.element.utf8)) }
      .filter { !$0.bytes.isEmpty }.sorted { $0.bytes.count > $1.bytes.count }
    let scheme = text.firstRange(of: "://")?.upperBound ?? text.startIndex
    let bytes = Array(text[scheme...].utf8)
    var out = Array(text[..<scheme].utf8)
    var position = 0
    while position < bytes.count {
      var found: (index: Int, end: Int)?
      for value in values {
        if let end = end(of: value.bytes, in: bytes, from: position) {
          found = (value.index, end)
          break
        }
      }
      if let found {
        let isPlain = Array(values.first { $0.index == found.index }?.bytes ?? []) == Array(bytes[position..<found.end])
        out += Array(mark(found.index, isPlain).utf8)
        position = found.end
      } else {
        out.append(bytes[position])
        position += 1
      }
    }
    return String(decoding: out, as: UTF8.self)
  }

  /// How often a value may be percent-encoded and still be found: a link inside of a link has it twice.
  private static let maximumEncodings = 4

  /// Whether one of the values stands anywhere behind the scheme, percent-encoded or not.
  func mentions(_ values: [String]) -> Bool {
    let values = values.map { Array($0.utf8) }.filter { !$0.isEmpty }
    var text = String(withoutScheme)
    for _ in 0..<Self.maximumEncodings {
      let bytes = Array(text.utf8)
      for value in values where bytes.indices.contains(where: { Self.end(of: value, in: bytes, from: $0) != nil }) {
        return true
      }
      let decoded = Self.decoded(text)
      guard decoded.utf8.count < bytes.count else { return false }
      text = decoded
    }
    return false
  }

  /// Where a value ends that begins at a position; nil where it does not begin there.
  private static func end(of value: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
    var position = start
    for wanted in value {
      guard position < bytes.count else { return nil }
      if bytes[position] == wanted || (bytes[position] == UInt8(ascii: "+") && wanted == UInt8(ascii: " ")) {
        position += 1
      } else if bytes[position] == UInt8(ascii: "%"), position + 2 < bytes.count,
        UInt8(String(decoding: bytes[(position + 1)...(position + 2)], as: UTF8.self), radix: 16) == wanted
      {
        position += 3
      } else {
        return nil
      }
    }
    return position
  }

  /// Leaves only what RFC 3986 calls unreserved.
  static func encoded(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var bytes: [UInt8] = []
    for byte in text.utf8 {
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"):
        bytes.append(byte)
      default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
