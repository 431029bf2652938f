/// How an answer's `Content-Encoding` says that its body was packed for the transfer.
enum ContentCoding: Sendable, Equatable {
  case gzip
  /// In the format of zlib, as RFC 9110 has it, or without its frame, as some servers send it.
  case deflate
  /// Kept as it is; the SQL engine reads it.
  case zstd
  /// A coding that is not read here.
  case other(String)

  /// nil where the body is as it is.
  ///
  /// - Parameter headers: Every value of the header; each may list several codings.
  init?(headers: [String]) {
    let codings = headers.flatMap { $0.split(separator: ",") }
      .map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
      .filter { !$0.isEmpty && $0 != "identity" }
    guard let first = codings.first else { return nil }
    switch (first, codings.count) {
    case ("gzip", 1), ("x-gzip", 1): self = .gzip
    case ("deflate", 1): self = .deflate
    case ("zstd", 1): self = .zstd
    default: self = .other(codings.joined(separator: ", "))
    }
  }

  /// Whether the body is unpacked while it arrives.
  var isInflated: Bool { self == .gzip || self == .deflate }
}
