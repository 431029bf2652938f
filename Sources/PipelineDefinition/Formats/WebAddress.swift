import FoundationEssentials

/// What the HTTP client may be given. It trusts the address: a port that is no port ends the process.
package enum WebAddress {
  /// Whether a text is an absolute http or https URL with a host, and with a port that exists where it names one.
  ///
  /// Every URL that reaches the client is checked here first, wherever it comes from: a definition, a variable, or an answer.
  package static func isUsable(_ text: String) -> Bool {
    guard let url = URL(string: text), let scheme = url.scheme?.lowercased(), scheme == "http" || scheme == "https",
      let host = url.host, !host.isEmpty
    else { return false }
    guard let port = portText(of: url.absoluteString), !port.isEmpty else { return true }
    guard let number = url.port else { return false }
    return (1...65535).contains(number)
  }

  /// What follows the colon of the authority; nil where it has none.
  private static func portText(of text: String) -> Substring? {
    let bytes = text.utf8
    guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")) else { return nil }
    let authority = bytes[colon...].dropFirst(3).prefix {
      $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#")
    }
    let host = authority.lastIndex(of: UInt8(ascii: "@")).map { authority[$0...].dropFirst() } ?? authority
    let afterAddress = host.lastIndex(of: UInt8(ascii: "]")).map { host[$0...].dropFirst() } ?? host
    return afterAddress.lastIndex(of: UInt8(ascii: ":")).map { Substring(afterAddress[$0...].dropFirst()) }
  }
}
