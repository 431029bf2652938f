/// What people call a release, in one line.
package enum ReleaseLabel {
  /// In Unicode scalars, as the database counts them.
  package static let maximumLength = 200

  /// Why a text is no label; nil where it is one.
  package static func problem(of text: String) -> String? {
    if text.unicodeScalars.allSatisfy(\.properties.isWhitespace) { return "the label is empty" }
    if text.unicodeScalars.contains(where: isControl) {
      return "the label has a line break or another control character"
    }
    if text.unicodeScalars.count > maximumLength { return "the label has more than \(maximumLength) characters" }
    if text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
      return "the label \(text) would be taken for a release's number"
    }
    return nil
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator: true
    default: false
    }
  }
}
