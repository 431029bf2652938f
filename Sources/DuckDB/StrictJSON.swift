/// DuckDB's JSON as every reader of JSON understands it.
///
/// DuckDB writes `NaN`, `Infinity` and `-Infinity` for numbers that JSON has no form for, and lets them, in any case, and commas before
/// a closing bracket stand in values of its type JSON. Here the numbers become the texts `"nan"`, `"inf"` and `"-inf"`, as DuckDB
/// writes them outside of JSON, and such commas are left out. Everything else stays byte for byte, so that no number is rounded.
enum StrictJSON {
  /// - Parameter json: Text that DuckDB takes for JSON.
  static func text(_ json: String) -> String {
    let bytes = Array(json.utf8)
    var out: [UInt8] = []
    out.reserveCapacity(bytes.count)
    var position = 0
    while position < bytes.count {
      let end: Int
      switch bytes[position] {
      case UInt8(ascii: "\""):
        end = endOfString(bytes, from: position)
        out += bytes[position..<end]
      case UInt8(ascii: ","):
        end = position + 1
        let next = bytes[end...].first { !isSpace($0) }
        if next != UInt8(ascii: "]"), next != UInt8(ascii: "}") { out.append(bytes[position]) }
      case let byte where isOfWord(byte):
        end = bytes[position...].firstIndex { !isOfWord($0) } ?? bytes.count
        out += word(bytes[position..<end])
      default:
        end = position + 1
        out.append(bytes[position])
      }
      position = end
    }
    return String(decoding: out, as: UTF8.self)
  }

  private static func endOfString(_ bytes: [UInt8], from start: Int) -> Int {
    var position = start + 1
    while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
      position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1
    }
    return min(position + 1, bytes.count)
  }

  /// Of a number or a word.
  private static func isOfWord(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
      true
    default: false
    }
  }

  private static func isSpace(_ byte: UInt8) -> Bool { [0x20, 0x09, 0x0A, 0x0D].contains(byte) }

  private static func word(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
    switch String(decoding: bytes, as: UTF8.self).lowercased() {
    case "nan", "-nan": Array("\"nan\"".utf8)
    case "inf", "infinity": Array("\"inf\"".utf8)
    case "-inf", "-infinity": Array("\"-inf\"".utf8)
    default: Array(bytes)
    }
  }
}
