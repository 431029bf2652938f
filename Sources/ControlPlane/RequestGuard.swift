import Hummingbird

/// Who may ask the API. Decided from a request's head alone, for every method and path, before anything is read or done.
///
/// The token keeps other users of the machine out. A page in a browser of the same user does not know the token; `Host` and
/// `Origin` are checked as well, so that no page learns anything even from an answer without one.
package struct RequestGuard: Sendable {
  /// Answers without a token: it tells only that the API is there.
  private static let openPath = "/health"
  private static let fetchSite = HTTPFields.Element.Name("Sec-Fetch-Site")
  private static let loopbackNames: Set<String> = ["127.0.0.1", "localhost", "[::1]"]

  private let token: [UInt8]
  private let hint: String

  /// - Parameters:
  ///   - token: What a client sends as `Authorization: Bearer TOKEN`. Not empty.
  ///   - hint: Where a client finds it.
  package init(token: String, hint: String) {
    precondition(!token.isEmpty, "an API without a token is open to everyone")
    self.token = Array(token.utf8)
    self.hint = hint
  }

  /// nil: the request may go on.
  package func refusal(of head: HTTPRequest) -> APIFault? {
    guard let host = head.authority, !host.isEmpty else {
      return APIFault(.badRequest, "no_host", "the request does not name one Host")
    }
    // Prevents DNS rebinding: a page can make its own name mean this machine, and then sends that name.
    guard Self.isLoopback(host) else {
      return APIFault(
        .forbidden, "foreign_host", "the request is for another host", hint: "ask 127.0.0.1 or localhost")
    }
    if let origin = head.headerFields[.origin], origin.lowercased() != "http://" + host.lowercased() {
      return APIFault(.forbidden, "foreign_origin", "the request comes from a page of another origin")
    }
    if let name = Self.fetchSite, let site = head.headerFields[name], site != "same-origin", site != "none" {
      return APIFault(.forbidden, "foreign_origin", "the request comes from a page of another origin")
    }
    if head.path == Self.openPath { return nil }
    guard let given = head.headerFields[.authorization] else {
      return APIFault(.unauthorized, "unauthorized", "the request has no token", hint: hint)
    }
    guard isToken(given) else {
      return APIFault(.unauthorized, "unauthorized", "the token is not the one of this control", hint: hint)
    }
    return nil
  }

  /// Compares every byte, however early two differ: the time tells nothing of the token.
  private func isToken(_ given: String) -> Bool {
    let scheme = Array("bearer ".utf8)
    guard given.utf8.prefix(scheme.count).map({ $0 | 0x20 }) == scheme else { return false }
    let bytes = Array(given.utf8.dropFirst(scheme.count))
    var difference = bytes.count ^ token.count
    for index in token.indices { difference |= Int(token[index] ^ (bytes.indices.contains(index) ? bytes[index] : 0)) }
    return difference == 0
  }

  /// Of a name with or without a port.
  private static func isLoopback(_ authority: String) -> Bool {
    var name = authority.lowercased()
    if let colon = name.lastIndex(of: ":"), !name[colon...].contains("]") {
      guard UInt16(name[name.index(after: colon)...]) != nil else { return false }
      name = String(name[..<colon])
    }
    return loopbackNames.contains(name)
  }
}
