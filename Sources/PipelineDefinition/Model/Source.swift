import JobModel

/// A remote system and the streams that are read from it.
package struct Source: Sendable, Equatable {
  package var name: String
  package var kind: SourceKind
  package var streams: [Stream]
  package var place: Place

  /// 20 GB, as the temporary files of the SQL engine may have.
  package static let defaultMaximumBody = 20_000_000_000

  package init(name: String, kind: SourceKind, streams: [Stream], place: Place = .unknown) {
    self.name = name
    self.kind = kind
    self.streams = streams
    self.place = place
  }
}

package enum SourceKind: Sendable, Equatable {
  case http(HTTPSource)
  case files(FilesSource)
}

package struct HTTPSource: Sendable, Equatable {
  package var baseURL: ValueTemplate
  package var auth: HTTPAuth?
  package var retry: HTTPRetry
  /// At most this many requests a second to the host from the whole fleet; nil means no limit of ours.
  package var requestsPerSecond: Double?
  /// At most this many streams are read from the host at once by the whole fleet, each one request at a time.
  package var inFlight: Int?
  /// Bytes per second, over a minute; an answer that comes more slowly is given up.
  package var minimumRate: Int

  /// Bytes of one answer; a larger one is an error.
  package var maximumBody: Int

  package static let defaultMinimumRate = 1000

  package init(
    baseURL: ValueTemplate, auth: HTTPAuth? = nil, retry: HTTPRetry = HTTPRetry(), requestsPerSecond: Double? = nil,
    inFlight: Int? = nil, minimumRate: Int = HTTPSource.defaultMinimumRate,
    maximumBody: Int = Source.defaultMaximumBody
  ) {
    self.baseURL = baseURL
    self.auth = auth
    self.retry = retry
    self.requestsPerSecond = requestsPerSecond
    self.inFlight = inFlight
    self.minimumRate = minimumRate
    self.maximumBody = maximumBody
  }
}

package enum HTTPAuth: Sendable, Equatable {
  case bearer(ValueTemplate)
  case basic(user: ValueTemplate, password: ValueTemplate)
  case header(name: String, value: ValueTemplate)
  case query(name: String, value: ValueTemplate)
}

/// Which answers are tried again inside one attempt, and for how long.
package struct HTTPRetry: Sendable, Equatable {
  package enum Status: Sendable, Hashable {
    case code(Int)
    case serverError, timeout
  }
  package var statuses: Set<Status>
  package var max: Int
  package var honoursRetryAfter: Bool
  package var giveUpAfter: Duration

  package init(
    statuses: Set<Status> = [.code(429), .serverError, .timeout], max: Int = 8, honoursRetryAfter: Bool = true,
    giveUpAfter: Duration = .seconds(1800)
  ) {
    self.statuses = statuses
    self.max = max
    self.honoursRetryAfter = honoursRetryAfter
    self.giveUpAfter = giveUpAfter
  }
}

package struct FilesSource: Sendable, Equatable {
  /// `file:` location; a relative path is relative to the project directory.
  package var at: ValueTemplate
  /// Bytes of one file; a larger one is an error.
  package var maximumBody: Int

  package init(at: ValueTemplate, maximumBody: Int = Source.defaultMaximumBody) {
    self.at = at
    self.maximumBody = maximumBody
  }
}

/// One table, endpoint or set of files of a source.
package struct Stream: Sendable, Equatable {
  package var name: String
  package var was: String?
  /// What is requested: of an `http` source.
  package var request: HTTPRequest?
  /// A glob under the source's location: of a `files` source, such as `stock/*.csv.gz`.
  package var match: String?
  package var read: ReadMode
  package var records: RecordFormat
  /// Bytes that one record of a line format may have.
  package var maximumRecordBytes: Int
  package var key: [String]
  package var cursor: Cursor?
  /// Names (and types) that the author fixed; empty means: the fields as they come.
  package var columns: [StreamColumn]
  /// Whether `columns` are all the fields there are (a list), not only the types of some (a mapping).
  package var fixesColumns: Bool
  /// Whether nothing is read from the source: the environment began with all input that it has.
  package var isWithheld = false
  package var place: Place

  package init(
    name: String, was: String? = nil, request: HTTPRequest? = nil, match: String? = nil, read: ReadMode = .full,
    records: RecordFormat, maximumRecordBytes: Int = RecordFormat.defaultMaximumRecordBytes, key: [String] = [],
    cursor: Cursor? = nil, columns: [StreamColumn] = [], fixesColumns: Bool = false, place: Place = .unknown
  ) {
    self.name = name
    self.was = was
    self.request = request
    self.match = match
    self.read = read
    self.records = records
    self.maximumRecordBytes = maximumRecordBytes
    self.key = key
    self.cursor = cursor
    self.columns = columns
    self.fixesColumns = fixesColumns
    self.place = place
  }
}

/// How much a run reads: everything each time, or what is new since the last run.
///
/// http: `incremental` where the stream has a cursor, else `full`. files: `new` (reported as `incremental`)
/// unless `read: full` is written.
package enum ReadMode: String, Sendable { case full, incremental }

package struct StreamColumn: Sendable, Equatable {
  package var name: String
  /// A DuckDB type name such as `bigint` or `decimal(18,4)`; nil means text.
  package var type: ColumnType?
  package init(name: String, type: ColumnType? = nil) {
    self.name = name
    self.type = type
  }
}

package struct Cursor: Sendable, Equatable {
  package var field: String
  package var type: ColumnType
  /// The value before the first run; nil means the beginning: `{cursor}` is then the empty text.
  package var start: String?
  /// How far behind the highest value seen the next run begins, so that late commits are not missed.
  package var lag: Duration
  /// How far after now the cursor may move; nil: wherever the records say. Of a temporal type.
  package var maximumAhead: Duration?
  /// The zone of times without an offset in a dataset whose contract says it; nil: UTC. A stream of its own has none.
  package var sourceTimezone: String?

  package init(
    field: String, type: ColumnType, start: String? = nil, lag: Duration = .zero, maximumAhead: Duration? = nil
  ) {
    self.field = field
    self.type = type
    self.start = start
    self.lag = lag
    self.maximumAhead = maximumAhead
  }
}

package struct HTTPRequest: Sendable, Equatable {
  package var method: String
  /// Relative to the source's base URL.
  package var path: ValueTemplate
  package var query: [(name: String, value: ValueTemplate)]
  package var body: ValueTemplate?
  package var paginate: Pagination
  /// A pull of more pages fails: a source whose pages never end would fill the disk.
  package var maxPages: Int
  package var redirects: Redirects
  /// Statuses that mean "no more pages"; 204 always does.
  package var end: Set<Int>

  /// Where a redirect may lead. One that leaves the host (scheme, name or port differ) never carries anything secret.
  package enum Redirects: String, Sendable {
    case sameHost = "same_host"
    case follow
  }

  package static let defaultMaxPages = 100_000

  package init(
    method: String = "GET", path: ValueTemplate, query: [(name: String, value: ValueTemplate)] = [],
    body: ValueTemplate? = nil,
    paginate: Pagination = .none, maxPages: Int = HTTPRequest.defaultMaxPages, redirects: Redirects = .sameHost,
    end: Set<Int> = []
  ) {
    self.end = end
    self.method = method
    self.path = path
    self.query = query
    self.body = body
    self.paginate = paginate
    self.maxPages = maxPages
    self.redirects = redirects
  }

  package static func == (left: HTTPRequest, right: HTTPRequest) -> Bool {
    left.method == right.method && left.path == right.path && left.body == right.body && left.paginate == right.paginate
      && left.maxPages == right.maxPages && left.redirects == right.redirects && left.end == right.end
      && left.query.elementsEqual(right.query) { $0.name == $1.name && $0.value == $1.value }
  }
}

/// How the next page is found. Paths are `$.a.b` into the page's JSON.
package enum Pagination: Sendable, Equatable {
  case none
  /// The token at `path` is sent as the query parameter `param`; absent, null or empty ends.
  case token(path: String, param: String)
  /// The URL at `path` is requested as it is (resolved against the page's URL); absent, null or empty ends.
  case nextURL(path: String)
  /// The `Link` header's `rel="next"`.
  case linkHeader
  /// `param` counts from `start`; a page without records ends.
  case page(param: String, start: Int)
  /// `param` grows by the number of records of the page before; a page without records ends.
  case offset(param: String, start: Int)
}
