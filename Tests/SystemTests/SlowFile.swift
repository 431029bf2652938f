/// A file that ingest takes some milliseconds for, so that a test can act while some are taken and others are not: the
/// program gzip looks at each.
enum SlowFile {
  /// `id\n1\n`, packed by gzip.
  static let bytes: [UInt8] = [
    0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 2, 3, 0xCB, 0x4C, 0xE1, 0x32, 0xE4, 2, 0, 0x0F, 0xE9, 0x5B, 0xCD, 5, 0, 0, 0,
  ]
}
