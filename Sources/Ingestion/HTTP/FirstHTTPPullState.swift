import FoundationEssentials

/// The checkpoint `ingest.http/1`, which differs from the present one in how it writes the places of the last pages.
struct FirstHTTPPullState: Decodable {
  private struct PageMark: Decodable {
    var page: Int
    var mark: String
  }

  private enum CodingKeys: String, CodingKey { case recent }

  private let recent: [PageMark]
  private let rest: HTTPPullState

  init(from decoder: any Decoder) throws {
    recent = try decoder.container(keyedBy: CodingKeys.self).decode([PageMark].self, forKey: .recent)
    rest = try HTTPPullState(from: decoder, recent: HTTPPullState.PageMarks())
  }

  /// The same place of the same pull, as a state of `ingest.http/2`.
  static func migrated(_ json: String) throws -> String {
    let first = try JSONDecoder().decode(FirstHTTPPullState.self, from: Data(json.utf8))
    var state = first.rest
    state.recent.list = first.recent.map { HTTPPullState.PageMark(page: $0.page, mark: $0.mark) }
    return try state.json
  }
}

extension HTTPPullState {
  /// Everything but the places of the last pages, whose form is another.
  init(from decoder: any Decoder, recent: PageMarks) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    next = try container.decodeIfPresent(Place.self, forKey: .next)
    page = try container.decode(Int.self, forKey: .page)
    objects = try container.decode(Int.self, forKey: .objects)
    bytes = try container.decode(Int64.self, forKey: .bytes)
    records = try container.decode(Int64.self, forKey: .records)
    cursor = try container.decodeIfPresent(String.self, forKey: .cursor)
    cursorMax = try container.decodeIfPresent(String.self, forKey: .cursorMax)
    lastBody = try container.decodeIfPresent(String.self, forKey: .lastBody)
    self.recent = recent
  }
}
