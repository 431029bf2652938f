/// What compressed raw may become.
///
/// A few bytes of a format can stand for any number: without a limit one file of a source fills the disk.
package struct ExpansionLimit: Sendable {
  /// What all expanded files of an attempt may take: `limits.temp`.
  package var bytes: Int
  /// How many times its compressed size one file may have: `limits.expansion`.
  package var ratio: Int

  /// Small files are not held to the ratio: a table of equal rows has a high one.
  static let freeBytes = 100_000_000

  package init(bytes: Int, ratio: Int = 200) {
    self.bytes = bytes
    self.ratio = ratio
  }

  /// In bytes, for one file; at least 1.
  func maximum(ofCompressed size: Int) -> Int { max(1, min(bytes, byRatio(size))) }

  /// The setting that decides for a file.
  func key(ofCompressed size: Int) -> String { bytes < byRatio(size) ? "limits.temp" : "limits.expansion" }

  private func byRatio(_ size: Int) -> Int {
    let (product, isTooLarge) = size.multipliedReportingOverflow(by: ratio)
    return isTooLarge ? bytes : max(Self.freeBytes, product)
  }

  /// What is left for the next file.
  func taking(_ size: Int) -> ExpansionLimit { ExpansionLimit(bytes: bytes - size, ratio: ratio) }
}
