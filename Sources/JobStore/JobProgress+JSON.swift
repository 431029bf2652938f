import JobModel

extension JobProgress {
  /// `{"bytes", "rows", "units", "total_units", "total_bytes", "note"}`, without what is nil.
  package var json: String { json() }

  /// - Parameters:
  ///   - peakMemory: `peak_memory`, in bytes.
  ///   - waiting: What the attempt waits for now: `waiting`.
  ///   - waited: An object of seconds by cause: `waited`.
  func json(peakMemory: Int64? = nil, waiting: WaitCause? = nil, waited: String? = nil) -> String {
    var fields = ["\"bytes\":\(bytes)", "\"rows\":\(rows)", "\"units\":\(units)"]
    if let totalUnits { fields.append("\"total_units\":\(totalUnits)") }
    if let totalBytes { fields.append("\"total_bytes\":\(totalBytes)") }
    if let note { fields.append("\"note\":\(jsonString(storable(note, maximum: 1000)))") }
    if let waiting { fields.append("\"waiting\":\"\(waiting.rawValue)\"") }
    if let waited { fields.append("\"waited\":\(waited)") }
    if let peakMemory { fields.append("\"peak_memory\":\(peakMemory)") }
    return "{" + fields.joined(separator: ",") + "}"
  }
}

/// A JSON string literal.
package func jsonString(_ text: String) -> String {
  var result = "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"": result += "\\\""
    case "\\": result += "\\\\"
    case "\n": result += "\\n"
    case "\r": result += "\\r"
    case "\t": result += "\\t"
    // PostgreSQL's jsonb cannot hold a NUL.
    case "\0": result += "\u{FFFD}"
    case let control where control.value < 0x20:
      let hex = String(control.value, radix: 16)
      result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result + "\""
}

/// A text that every UTF-8 database stores, and no longer than a person reads: without NUL, and cut at `maximum` bytes.
package func storable(_ text: String, maximum: Int = 8000) -> String {
  var result = ""
  var bytes = 0
  for scalar in text.unicodeScalars {
    let kept = scalar == "\0" ? "\u{FFFD}" : scalar
    bytes += UTF8.width(kept)
    guard bytes <= maximum else { return result + "…" }
    result.unicodeScalars.append(kept)
  }
  return result
}

extension Failure {
  /// `{"code", "message", "at", "hint"}`, as the command line and the history show it.
  package var json: String {
    func field(_ name: String, _ text: String, _ maximum: Int) -> String {
      "\"\(name)\":\(jsonString(storable(text, maximum: maximum)))"
    }
    var fields = [field("code", code, 200), field("message", message, 8000)]
    if let at { fields.append(field("at", at, 1000)) }
    if let hint { fields.append(field("hint", hint, 2000)) }
    return "{" + fields.joined(separator: ",") + "}"
  }
}
