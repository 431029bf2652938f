/// Something that fails no pull and that an operator would ask about: kept as an event of the run.
package struct PullEvent: Sendable, Equatable {
  package enum Kind: String, Sendable {
    /// The cursor is far ahead of the present.
    case farCursor = "cursor_far_ahead"
    /// Records lie beyond the cursor's limit, and will come again.
    case limitedCursor = "cursor_limited"
    /// No record has a value of the cursor's type.
    case unreadCursor = "cursor_unreadable"
    /// The first page was answered with a status that means: no more pages.
    case noPages = "no_pages"
    /// The source asked for a wait that is longer than a slot is held for it: the job is put off.
    case longWait = "source_waits"
  }
  package var kind: Kind
  package var message: String

  package init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }
}
