import Yams

/// A text in which single characters of keys can be exchanged and recognised later, so that every other character
/// keeps its line and column.
struct MarkedText {
  /// Private-use characters: valid in YAML, and in no definition.
  private static let firstMarker: UInt32 = 0xE100

  private var scalars: [Unicode.Scalar]
  private var lineStarts: [Int]
  private var replaced: [Unicode.Scalar: Unicode.Scalar] = [:]

  init(_ text: String) {
    scalars = Array(text.unicodeScalars)
    lineStarts = [0]
    for (index, scalar) in scalars.enumerated() where scalar == "\n" { lineStarts.append(index + 1) }
  }

  var text: String {
    var view = String.UnicodeScalarView()
    view.append(contentsOf: scalars)
    return String(view)
  }

  /// Exchanges the first character of the key that begins at the mark.
  ///
  /// - Returns: false where that is not possible, as with an empty key.
  mutating func alterKey(at mark: Mark) -> Bool {
    guard lineStarts.indices.contains(mark.line - 1),
      let marker = Unicode.Scalar(Self.firstMarker + UInt32(replaced.count))
    else { return false }
    var index = lineStarts[mark.line - 1] + mark.column - 1
    while scalars.indices.contains(index), "\"'".unicodeScalars.contains(scalars[index]) { index += 1 }
    guard scalars.indices.contains(index), scalars[index].isASCII, NameText.isWord(UInt8(scalars[index].value)) else {
      return false
    }
    replaced[marker] = scalars[index]
    scalars[index] = marker
    return true
  }

  /// The key as it was before ``alterKey(at:)``.
  func original(of key: String) -> String {
    guard let first = key.unicodeScalars.first, let scalar = replaced[first] else { return key }
    var view = String.UnicodeScalarView([scalar])
    view.append(contentsOf: key.unicodeScalars.dropFirst())
    return String(view)
  }

  func place(offset: Int, file: String) -> Place {
    let line = lineStarts.lastIndex { $0 <= offset } ?? 0
    return Place(file: file, line: line + 1, column: offset - lineStarts[line] + 1)
  }
}
