import FoundationEssentials

/// How hard the faults are: short under `make test`, long under `make soak-faults`.
enum Strength {
  /// How long the storm goes on, in seconds; nil unless it is asked for.
  static let soakSeconds = ProcessInfo.processInfo.environment["SLUICE_SOAK_SECONDS"].flatMap { Double($0) }
  static var isSoak: Bool { soakSeconds != nil }

  /// The lease of workers that are stopped, and how long they are, in seconds.
  static var lease: Double { isSoak ? 15 : 3 }
  static var stop: Double { isSoak ? 30 : 8 }

  /// Tells a figure to whoever reads the output of a soak.
  static func tell(_ what: String, _ seconds: [Double]) {
    guard isSoak || ProcessInfo.processInfo.environment["SLUICE_FAULT_FIGURES"] != nil else { return }
    let texts = seconds.sorted().map { String(format: $0) }
    print("figure: \(what): \(texts.joined(separator: " ")) s")
  }
}

extension String {
  /// Two digits.
  fileprivate init(format seconds: Double) { self = "\((seconds * 100).rounded() / 100)" }
}
