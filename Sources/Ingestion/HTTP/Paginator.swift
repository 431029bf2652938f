import JobModel
import ObjectStore
import PipelineDefinition
import Records

/// Where the next page is: a pure rule over one page and the definition's `paginate`.
struct Paginator: Sendable {
  /// Of a token or a link. It goes into a URL and into each checkpoint, and what is longer is no place but data.
  static let maximumPlaceBytes = JSONRecordScanner.maximumValueBytes

  let pagination: Pagination

  /// The values that must be read from each page's document.
  var valuePaths: [String] {
    switch pagination {
    case .token(let path, _), .nextURL(let path): [path]
    case .none, .linkHeader, .page, .offset: []
    }
  }

  /// Whether the place of the next page depends on how many records a page has.
  var countsRecords: Bool {
    switch pagination {
    case .page, .offset: true
    case .none, .token, .nextURL, .linkHeader: false
    }
  }

  /// The first page's place.
  var start: HTTPPullState.Place {
    switch pagination {
    case .page(_, let start), .offset(_, let start): HTTPPullState.Place(number: Int64(start))
    case .none, .token, .nextURL, .linkHeader: HTTPPullState.Place()
    }
  }

  /// The request of a place.
  ///
  /// - Returns: nil where a stored place is no URL.
  func url(of place: HTTPPullState.Place, of request: StreamRequest) -> PageURL? {
    let first = request.first
    return switch pagination {
    case .token(_, let param): place.token.map { first.setting(param, to: $0) } ?? first
    case .page(let param, _), .offset(let param, _): place.number.map { first.setting(param, to: String($0)) } ?? first
    case .nextURL, .linkHeader: place.url.map { request.restored($0) } ?? first
    case .none: first
    }
  }

  /// The place after a page; nil where it was the last.
  ///
  /// - Parameters:
  ///   - url: Of the page, for links that are relative to it.
  ///   - links: The page's `Link` headers.
  func place(
    after place: HTTPPullState.Place, report: BodyReport, links: [String], url: PageURL
  ) throws(PaginationFault) -> HTTPPullState.Place? {
    switch pagination {
    case .none: return nil
    case .token:
      guard let token = Self.text(report.values.first ?? nil) else { return nil }
      guard token.utf8.count <= Self.maximumPlaceBytes else { throw .tooLong("token") }
      return HTTPPullState.Place(token: token)
    case .nextURL:
      guard let link = Self.text(report.values.first ?? nil) else { return nil }
      return try Self.place(of: link, on: url)
    case .linkHeader:
      guard let link = LinkHeader.next(in: links) else { return nil }
      return try Self.place(of: link, on: url)
    case .page:
      guard (report.records ?? report.bytes) > 0 else { return nil }
      return try Self.place(place, plus: 1)
    case .offset:
      guard let records = report.records, records > 0 else { return nil }
      return try Self.place(place, plus: records)
    }
  }

  private static func place(
    _ place: HTTPPullState.Place, plus count: Int64
  ) throws(PaginationFault) -> HTTPPullState.Place {
    let (number, overflow) = (place.number ?? 0).addingReportingOverflow(count)
    guard !overflow else { throw .tooLarge }
    return HTTPPullState.Place(number: number)
  }

  private static func place(of link: String, on url: PageURL) throws(PaginationFault) -> HTTPPullState.Place {
    guard link.utf8.count <= maximumPlaceBytes else { throw .tooLong("link") }
    guard let next = url.resolving(link) else { throw .noURL }
    guard next.text.utf8.count <= maximumPlaceBytes else { throw .tooLong("link") }
    return HTTPPullState.Place(url: next.text)
  }

  /// Absent, null, false and the empty text end a pull.
  private static func text(_ value: JSONScalar?) -> String? {
    guard let value, value.kind != .null, !value.text.isEmpty else { return nil }
    return value.kind == .boolean && value.text == "false" ? nil : value.text
  }

  /// What a place is recognised by when it comes again; nil where places cannot come again.
  static func mark(of place: HTTPPullState.Place) -> String? {
    guard let text = place.token ?? place.url else { return nil }
    return String(SHA256Hasher.hex(of: Array(text.utf8)).prefix(16))
  }
}

/// Why there is no next place although the source announces one.
enum PaginationFault: Error, Equatable {
  case noURL
  case tooLong(String)
  /// The page's or record's number is beyond what a number can be.
  case tooLarge

  func text(page: Int) -> String {
    switch self {
    case .noURL: "the link to page \(page) is no URL"
    case .tooLong(let what): "the \(what) to page \(page) is longer than \(Paginator.maximumPlaceBytes) bytes"
    case .tooLarge: "page \(page) would have a number that is too large"
    }
  }

  var hint: String {
    switch self {
    case .noURL: "ask the source's owner"
    case .tooLong: "does the path of `paginate` name the right value?"
    case .tooLarge: "lower `start` of `paginate`"
    }
  }
}
