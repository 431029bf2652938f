import FoundationEssentials

/// The checkpoint `ingest.http/2`: which pages are in, and where the next one is. Written once a page, so it is kept small.
struct HTTPPullState: Sendable, Codable, Equatable {
  /// Where a page is. At most one is set; none: the first page.
  struct Place: Sendable, Codable, Equatable {
    var token: String?
    var url: String?
    var number: Int64?
  }

  /// nil: every page is in.
  var next: Place? = Place()
  /// Pages that are in.
  var page = 0
  /// Objects that are recorded, broken ones included: the number of the next.
  var objects = 0
  var bytes: Int64 = 0
  var records: Int64 = 0
  /// What `{cursor}` stands for: the same for every page of the pull.
  var cursor: String?
  /// The highest value of the cursor's field so far.
  var cursorMax: String?
  /// The records whose value is beyond the cursor's limit; nil: none.
  var cursorBeyond: CursorProgress.Beyond?
  /// Of the places of the last pages, newest last: a place that comes again is a loop.
  var recent = PageMarks()
  /// The hash of the last page's body.
  var lastBody: String?
  /// The tries of the next page that earlier attempts of the job made; nil: none.
  var wait: Wait?

  /// A request that was put off: what counts for `retry` when it is made again.
  struct Wait: Sendable, Codable, Equatable {
    /// When it was first made, in seconds since 1970.
    var since: Int64
    /// Seconds from the first try to the end of the wait, without the time for which the job waited longer than it had to.
    var waited: Int64
    var tries: Int
  }

  enum CodingKeys: String, CodingKey {
    case next, page, objects, bytes, records, cursor, recent, wait
    case cursorMax = "cursor_max"
    case cursorBeyond = "cursor_beyond"
    case lastBody = "last_body"
  }

  /// A loop of more pages than this is found later, when it passes the remembered page of a power of two.
  static let rememberedPages = 32

  /// A place without what it says: tokens may be long.
  struct PageMark: Sendable, Equatable {
    var page: Int
    var mark: String
  }

  /// In JSON one text, `PAGE:MARK PAGE:MARK …`: half of what a list of objects takes.
  struct PageMarks: Sendable, Codable, Equatable {
    struct Unreadable: Error {}

    var list: [PageMark] = []

    init(_ list: [PageMark] = []) { self.list = list }

    init(from decoder: any Decoder) throws {
      let text = try decoder.singleValueContainer().decode(String.self)
      list = try text.split(separator: " ").map { item in
        let parts = item.split(separator: ":")
        guard parts.count == 2, let page = Int(parts[0]) else { throw Unreadable() }
        return PageMark(page: page, mark: String(parts[1]))
      }
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      try container.encode(list.map { "\($0.page):\($0.mark)" }.joined(separator: " "))
    }
  }

  /// Notes where a page was; returns the earlier page of the same place.
  mutating func remember(_ mark: String, page: Int) -> Int? {
    if let earlier = recent.list.first(where: { $0.mark == mark }) { return earlier.page }
    recent.list.append(PageMark(page: page, mark: mark))
    if recent.list.count > Self.rememberedPages {
      // The oldest stays as an anchor until the count has doubled, so that a loop of any length is found.
      let anchor = recent.list[0]
      recent.list.remove(at: page / 2 >= max(anchor.page, 1) ? 0 : 1)
    }
    return nil
  }

  var json: String {
    get throws {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
  }

  init() {}

  /// - Throws: Also for counts that no pull has, so that none can overflow.
  init(json: String) throws {
    self = try JSONDecoder().decode(HTTPPullState.self, from: Data(json.utf8))
    guard
      PulledStep.areCounts(
        [Int64(page), Int64(objects), bytes, records, cursorBeyond?.records ?? 0] + recent.list.map { Int64($0.page) }
          + (wait.map { [$0.since, $0.waited, Int64($0.tries)] } ?? []))
    else {
      throw CheckpointCounts()
    }
  }
}
