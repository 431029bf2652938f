/// A file that ingest takes some milliseconds for, so that a test can act while some are taken and others are not: the
/// program gzip looks at each.
enum SlowFile {
  /// `id\nNUMBER\n` as gzip, in one stored block.
  static func bytes(_ number: Int) -> [UInt8] {
    let text = Array("id\n\(number)\n".utf8)
    let length = UInt16(text.count)
    let head: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 1]
    return head + little(length) + little(~length) + text + little(crc32(text)) + little(UInt32(text.count))
  }

  private static func little(_ number: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: number.littleEndian) { Array($0) }
  }

  private static func crc32(_ bytes: [UInt8]) -> UInt32 {
    var sum = ~UInt32(0)
    for byte in bytes {
      sum ^= UInt32(byte)
      for _ in 0..<8 { sum = sum & 1 == 1 ? (sum >> 1) ^ 0xEDB8_8320 : sum >> 1 }
    }
    return ~sum
  }
}
