import CZlib

/// Unpacks gzip or deflate piece by piece, whatever the pieces are.
///
/// Not for several threads at a time.
final class Inflater {
  /// The body is not what its coding says.
  struct Damaged: Error {}

  /// What is given on at a time: a small body may unpack to a thousand times its size.
  static let pieceBytes = 256 * 1024

  private enum Phase {
    /// Too few bytes to tell the format.
    case undecided
    case reading
    /// A gzip file may be followed by another one; nothing may follow deflate.
    case between
  }

  private let coding: ContentCoding
  /// On the heap, for zlib keeps its address.
  private let stream: UnsafeMutablePointer<z_stream>
  private var phase = Phase.undecided
  private var input: [UInt8] = []
  private var position = 0
  /// The last piece was full, so zlib may hold more without any input.
  private var holdsMore = false

  /// - Precondition: The coding is gzip or deflate.
  init(_ coding: ContentCoding) {
    precondition(coding.isInflated, "only gzip and deflate are unpacked")
    self.coding = coding
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
  }

  deinit {
    if phase != .undecided { inflateEnd(stream) }
    stream.deallocate()
  }

  /// Takes the next piece of the packed body. To be followed by ``next()`` until that says nil.
  func feed(_ bytes: [UInt8]) {
    if position == input.count {
      input = bytes
    } else {
      input = input[position...] + bytes
    }
    position = 0
  }

  /// The next unpacked bytes; nil where more input is needed.
  func next() throws(Damaged) -> [UInt8]? {
    try begin()
    guard phase != .undecided else { return nil }
    while position < input.count || holdsMore {
      if phase == .between {
        // Zeros behind the end are padding, as gzip(1) has it.
        if coding == .gzip, input[position...].allSatisfy({ $0 == 0 }) {
          position = input.count
          return nil
        }
        guard coding == .gzip, inflateReset(stream) == Z_OK else { throw Damaged() }
        phase = .reading
      }
      let piece = try inflatePiece()
      if !piece.isEmpty { return piece }
    }
    return nil
  }

  /// - Throws: ``Damaged`` where the body has ended too early.
  func finish() throws(Damaged) {
    // An empty body is empty, whatever it was announced as.
    guard phase == .between || (phase == .undecided && input.isEmpty) else { throw Damaged() }
  }

  /// Decides how deflate is framed: the header of zlib is a multiple of 31, and no sensible block of deflate begins like it.
  private func begin() throws(Damaged) {
    guard phase == .undecided, input.count >= 2 else { return }
    let hasFrame = input[0] & 0x0F == 8 && (Int(input[0]) << 8 | Int(input[1])) % 31 == 0
    let windowBits = coding == .gzip ? 16 + MAX_WBITS : hasFrame ? MAX_WBITS : -MAX_WBITS
    guard sluice_inflate_init(stream, windowBits) == Z_OK else { throw Damaged() }
    phase = .reading
  }

  private func inflatePiece() throws(Damaged) -> [UInt8] {
    var status = Z_OK
    let available = input.count - position
    var used = 0
    let output = [UInt8](unsafeUninitializedCapacity: Self.pieceBytes) { buffer, count in
      input.withUnsafeMutableBufferPointer { input in
        stream.pointee.next_in = input.baseAddress.map { $0 + position }
        stream.pointee.avail_in = uInt(available)
        stream.pointee.next_out = buffer.baseAddress
        stream.pointee.avail_out = uInt(buffer.count)
        status = inflate(stream, Z_NO_FLUSH)
        used = available - Int(stream.pointee.avail_in)
        count = buffer.count - Int(stream.pointee.avail_out)
      }
    }
    position += used
    holdsMore = output.count == Self.pieceBytes
    switch status {
    case Z_STREAM_END: (phase, holdsMore) = (.between, false)
    case Z_OK, Z_BUF_ERROR: break
    default: throw Damaged()
    }
    return output
  }
}
