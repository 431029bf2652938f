/// One start of a worker, under a name that control drew for it before it asked for anything.
///
/// The worker registers under the name. So a start whose answer was lost is found again, and one that is asked for twice starts one worker.
package struct Launch: Sendable, Hashable {
  /// Tells a worker its launch.
  package static let variable = "SLUICE_LAUNCH_ID"
  private static let maxBytes = 128

  package let id: String
  /// 0: of none.
  package let release: Int64

  /// - Parameters:
  ///   - owner: Of the installation: letters, digits and dashes.
  ///   - draw: What no other launch has: letters and digits.
  package init(owner: String, release: Int64, draw: String) {
    id = "\(owner).\(release).\(draw)"
    self.release = release
    precondition(Self.isName(id), "a launch is named by letters, digits, dashes and dots")
  }

  /// Reads a name; nil: it is not of this owner.
  package init?(id: String, owner: String) {
    let parts = id.split(separator: ".", omittingEmptySubsequences: false)
    guard Self.isName(id), parts.count == 3, parts[0] == owner, let release = Int64(parts[1]), release >= 0,
      !parts[2].isEmpty
    else { return nil }
    self.id = id
    self.release = release
  }

  /// Whether a text can be the name of a launch. It needs no quotes in any shell, and is the name of a file.
  package static func isName(_ text: String) -> Bool {
    (1...maxBytes).contains(text.utf8.count) && !text.hasPrefix("-") && !text.hasPrefix(".")
      && text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."):
          true
        default: false
        }
      }
  }

  /// The name that a worker was started with; nil: none, or no name.
  package static func named(in environment: [String: String]) -> String? {
    environment[variable].flatMap { isName($0) ? $0 : nil }
  }
}
