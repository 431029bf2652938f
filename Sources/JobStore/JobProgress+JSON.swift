import JobModel

extension JobProgress {
  /// `{"bytes", "rows", "units", "total_units", "total_bytes", "note"}`, without what is nil.
  package var json: String { json(peakMemory: nil) }

  /// With `peak_memory` in bytes besides.
  func json(peakMemory: Int64?) -> String {
    var fields = ["\"bytes\":\(bytes)", "\"rows\":\(rows)", "\"units\":\(units)"]
    if let totalUnits { fields.append("\"total_units\":\(totalUnits)") }
    if let totalBytes { fields.append("\"total_bytes\":\(totalBytes)") }
    if let note { fields.append("\"note\":\(jsonString(note))") }
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

extension Failure {
  /// `{"code", "message", "at", "hint"}`, as the command line and the history show it.
  package var json: String {
    var fields = ["\"code\":\(jsonString(code))", "\"message\":\(jsonString(message))"]
    if let at { fields.append("\"at\":\(jsonString(at))") }
    if let hint { fields.append("\"hint\":\(jsonString(hint))") }
    return "{" + fields.joined(separator: ",") + "}"
  }
}
