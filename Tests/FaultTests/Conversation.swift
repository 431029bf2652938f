/// What a client has said to PostgreSQL, message by message: which statements its transaction has, and where it commits.
///
/// Source: PostgreSQL's documentation, "Message Formats": a startup message is a length and its body, every other one has
/// a type before the length.
struct Conversation {
  private var buffer: [UInt8] = []
  private var hasStarted = false
  /// The texts of prepared statements, by name; the one without a name under "".
  private var prepared: [String: String] = [:]
  private var transaction: [String] = []
  private(set) var listens = false

  /// Takes in bytes from the client.
  ///
  /// - Parameter judge: Asked at each COMMIT, with the transaction's statements.
  /// - Returns: What is to be passed on now, whole messages only; and whether the connection is to be cut: before the COMMIT
  ///   nothing of it is among them.
  mutating func take(_ bytes: [UInt8], judge: ([String]) -> Proxy.Moment?) -> ([UInt8], Proxy.Moment?) {
    buffer += bytes
    var passed: [UInt8] = []
    var cut: Proxy.Moment?
    while let message = next() {
      if let text = statement(in: message) {
        switch text.lowercased() {
        case "begin": transaction = []
        case "commit":
          let moment = judge(transaction)
          transaction = []
          if moment == .beforeCommit { return (passed, moment) }
          cut = cut ?? moment
        default:
          listens = listens || text.hasPrefix("listen")
          transaction.append(text)
        }
      }
      passed += message
    }
    return (passed, cut)
  }

  /// Takes the next whole message out of the buffer.
  private mutating func next() -> [UInt8]? {
    let header = hasStarted ? 1 : 0
    guard buffer.count >= header + 4 else { return nil }
    let length = buffer[header..<header + 4].reduce(0) { $0 << 8 | Int($1) }
    guard buffer.count >= header + length else { return nil }
    let message = Array(buffer.prefix(header + length))
    buffer.removeFirst(header + length)
    hasStarted = true
    return message
  }

  /// The text of the statement that a message runs; nil for one that runs none.
  private mutating func statement(in message: [UInt8]) -> String? {
    var texts = message.dropFirst(5).split(separator: 0, omittingEmptySubsequences: false).lazy
      .map { String(decoding: $0, as: UTF8.self) }.makeIterator()
    switch message.first {
    case UInt8(ascii: "Q"): return texts.next()
    case UInt8(ascii: "P"):
      guard let name = texts.next(), let text = texts.next() else { return nil }
      prepared[name] = text
      return nil
    case UInt8(ascii: "B"):
      guard texts.next() != nil, let name = texts.next() else { return nil }
      return prepared[name]
    default: return nil
    }
  }
}
