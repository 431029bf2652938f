import ControlPlane
import FoundationEssentials
import Glibc
import ObjectStore

/// What a client of the control API has to send: `.sluice/ENV/control-HOST.token`, which only the user of this
/// control can read.
struct ControlToken {
  private static let bytes = 32

  let text: String
  private let path: String

  /// Writes a new token.
  ///
  /// - Parameter isSuccessor: Control that another one became keeps the token, so that no client notices.
  init(_ stateDirectory: String, isSuccessor: Bool) throws {
    path = Self.path(stateDirectory)
    if isSuccessor, !PrivateFiles.isOpen(path), let token = Self.read(stateDirectory) {
      text = token
      return
    }
    var random = SystemRandomNumberGenerator()
    text = (0..<Self.bytes).map { _ in
      let byte = UInt8.random(in: .min ... .max, using: &random)
      return (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }.joined()
    try PrivateFiles.write(Array((text + "\n").utf8), to: path)
  }

  static func path(_ stateDirectory: String) -> String {
    stateDirectory + "/control-" + Installation.hostFolder + ".token"
  }

  /// The token of the control that runs; nil where there is none, or where another user runs it.
  static func read(_ stateDirectory: String) -> String? {
    guard let data = FileManager.default.contents(atPath: path(stateDirectory)) else { return nil }
    let text = String(decoding: data.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    return text.utf8.count == 2 * bytes ? text : nil
  }

  /// Removes the file, unless it is another control's.
  func remove(_ stateDirectory: String) {
    if Self.read(stateDirectory) == text { unlink(path) }
  }

  func requestGuard(environment: String) -> RequestGuard {
    RequestGuard(
      token: text,
      hint:
        "send \"Authorization: Bearer TOKEN\" with the content of the project's .sluice/\(environment)/control-\(Installation.hostFolder).token"
    )
  }
}
