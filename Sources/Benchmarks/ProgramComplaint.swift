import FoundationEssentials

/// Why a program of a measurement failed, in its own words: a verb's reason is in its JSON, and other programs' in their last line.
enum ProgramComplaint {
  private struct Report: Decodable {
    struct Reason: Decodable {
      var code: String
      var message: String
      var hint: String?
    }
    var error: Reason?
  }

  static func text(output: String, errors: String) -> String {
    if let report = try? JSONDecoder().decode(Report.self, from: Data(output.utf8)), let reason = report.error {
      return "\(reason.code): \(reason.message)" + (reason.hint.map { "; \($0)" } ?? "")
    }
    return errors.split(separator: "\n").last.map(String.init) ?? "it said nothing"
  }
}
