import FoundationEssentials
import JobModel
import ObjectStore

/// The key of the hashes that stand for masked values in environments of one model.
///
/// It is drawn once and stays, so that a value has the same hash in every environment of the model. With the key, values can be tried.
struct MaskKey {
  private static let bytes = 32
  /// Of a block of SHA-256.
  private static let blockBytes = 64

  private let key: [UInt8]

  private static func path(_ stateDirectory: String) -> String { stateDirectory + "/mask-key" }

  /// - Parameter stateDirectory: Of the model.
  /// - Throws: `StageFailure` `mask_key` where there is something else.
  static func readOrMake(_ stateDirectory: String) throws -> MaskKey {
    let path = path(stateDirectory)
    if !FileManager.default.fileExists(atPath: path) {
      var generator = SystemRandomNumberGenerator()
      let drawn = (0..<bytes).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
      try PrivateFiles.write(Array(hex(drawn).utf8), to: path)
    }
    guard let text = FileManager.default.contents(atPath: path).map({ String(decoding: $0, as: UTF8.self) }),
      text.utf8.count == 2 * bytes, text.utf8.allSatisfy({ $0.isHexDigit })
    else {
      throw StageFailure(
        code: "mask_key", message: "\(path), the key of masked values, cannot be read",
        hint: "restore it from a backup, or remove it: new environments have other hashes then")
    }
    return MaskKey(key: Array(text.utf8))
  }

  /// Functions of DuckDB that mask, as a script for a session. It has the key: it goes to the engine's standard input only.
  ///
  /// `_sluice_mask(text)` is HMAC-SHA256 (RFC 2104) in hexadecimal. `_sluice_mask_bigint` and `_sluice_mask_integer` permute all
  /// numbers of their type by a Feistel network of four rounds, so that two numbers never become one.
  var script: String {
    let block = key + [UInt8](repeating: 0, count: Self.blockBytes - key.count)
    let inner = Self.hex(block.map { $0 ^ 0x36 })
    let outer = Self.hex(block.map { $0 ^ 0x5C })
    return """
      create macro _sluice_mask(v) as sha256(unhex('\(outer)') || unhex(sha256(unhex('\(inner)') || encode(v))));
      create macro _sluice_round(n, v) as ('0x' || _sluice_mask(chr(1) || n || ':' || v::VARCHAR)[:8])::UBIGINT;
      \(Self.permutation("bigint", halfBits: 32, offset: "9223372036854775808"));
      \(Self.permutation("integer", halfBits: 16, offset: "2147483648"))
      """
  }

  /// Left and right half are `r0` and `r1`; each round gives the next: `r(n+1) = r(n-1) xor f(n, r(n))`.
  private static func permutation(_ type: String, halfBits: Int, offset: String) -> String {
    let half = (UInt64(1) << UInt64(halfBits)) - 1
    let next = { (round: Int) in
      "create macro _sluice_\(type)_\(round)(l, r) as xor(l, _sluice_round('\(type) \(round)', r) & \(half)::UBIGINT)"
    }
    let name = { (round: Int) in "_sluice_\(type)_\(round)" }
    let r2 = "\(name(1))(l, r)"
    let r3 = "\(name(2))(r, \(r2))"
    let r4 = "\(name(3))(\(r2), \(r3))"
    let r5 = "\(name(4))(\(r3), \(r4))"
    return (1...4).map(next).joined(separator: ";\n") + ";\n" + """
      create macro _sluice_halves_\(type)(l, r) as ((\(r4))::HUGEINT << \(halfBits)) + (\(r5))::HUGEINT;
      create macro _sluice_mask_\(type)(v) as (_sluice_halves_\(type)(
        ((v::HUGEINT + \(offset)) >> \(halfBits))::UBIGINT, ((v::HUGEINT + \(offset)) & \(half)::HUGEINT)::UBIGINT)
        - \(offset)::HUGEINT)::\(type)
      """
  }

  private static func hex(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}

extension UInt8 {
  fileprivate var isHexDigit: Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(self)
  }
}
