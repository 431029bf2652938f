extension ScalingTrace {
  /// The trace in its file format, one line a piece, jobs and events in one order of time.
  package func write(to put: (String) throws -> Void) rethrows {
    try put(header.line)
    var events = events[...]
    for job in jobs {
      while let event = events.first, event.at < job.at {
        try put(event.line)
        events = events.dropFirst()
      }
      try put(job.line)
    }
    for event in events { try put(event.line) }
  }
}

extension ScalingTrace.Header {
  fileprivate var line: String {
    var text =
      "{\"trace\": \(ScalingTrace.quoted(trace)), \"seconds\": \(ScalingTrace.number(seconds)), "
      + "\"start_seconds\": \(ScalingTrace.number(startSeconds)), \"memory_gb\": \(ScalingTrace.number(memoryGB)), "
      + "\"checkpoint_seconds\": \(ScalingTrace.number(checkpointSeconds)), "
      + "\"grace_seconds\": \(ScalingTrace.number(graceSeconds)), \"max_workers\": \(maxWorkers)"
    if slots != 1 { text += ", \"slots\": \(slots)" }
    return text + "}"
  }
}

extension ScalingTrace.Job {
  fileprivate var line: String {
    var text =
      "{\"at\": \(ScalingTrace.number(at)), \"kind\": \(ScalingTrace.quoted(kind)), "
      + "\"seconds\": \(ScalingTrace.number(seconds)), \"memory_gb\": \(ScalingTrace.number(memoryGB))"
    if let deadline { text += ", \"deadline\": \(ScalingTrace.number(deadline))" }
    if let predictedSeconds { text += ", \"predicted_seconds\": \(ScalingTrace.number(predictedSeconds))" }
    if let predictedMemoryGB { text += ", \"predicted_memory_gb\": \(ScalingTrace.number(predictedMemoryGB))" }
    return text + "}"
  }
}

extension ScalingTrace.Event {
  fileprivate var line: String {
    var text = "{\"at\": \(ScalingTrace.number(at)), \"event\": \"\(kind.rawValue)\""
    if seconds > 0 { text += ", \"seconds\": \(ScalingTrace.number(seconds))" }
    if let count { text += ", \"count\": \(count)" }
    return text + "}"
  }
}

extension ScalingTrace {
  /// The shortest text that reads as the same number; whole numbers without a fraction.
  fileprivate static func number(_ value: Double) -> String {
    value.rounded() == value && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)"
  }

  fileprivate static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}
