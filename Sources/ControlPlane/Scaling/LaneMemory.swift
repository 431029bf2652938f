import JobStore

/// What waits in each lane, as of the last time that the lane was looked at. Pure.
///
/// A look at every lane costs too much where there are thousands. The first look is at all of them. Each later look is at those where a job
/// came, began or ended since the look before or that rang, and at a part of the others in turn. A job that became ready unheard is found when
/// its lane's turn comes: with 10,000 lanes within 40 looks.
struct LaneMemory: Sendable {
  /// How many lanes one look takes in turn, and how many because they have changed.
  static let lanesPerLook = 256

  private var depths: [Int64: JobStore.LaneDepth] = [:]
  private var changed: Set<Int64> = []
  /// Where the last look ended; nil: there was none.
  private var reached: Int64?

  /// Lanes with ready jobs, in no order.
  var lanes: [JobStore.LaneDepth] { Array(depths.values) }

  /// Says which lanes have changed.
  mutating func note(changed lanes: some Sequence<Int64>) { changed.formUnion(lanes) }

  /// What the next look takes.
  var next: JobStore.LanePart {
    guard let reached else { return JobStore.LanePart() }
    return JobStore.LanePart(
      changed: Array(changed.prefix(Self.lanesPerLook)), above: reached, limit: Self.lanesPerLook)
  }

  /// Takes what a look found.
  ///
  /// - Parameter part: ``next``, from before the look.
  mutating func take(_ found: [JobStore.LaneDepth], of part: JobStore.LanePart) {
    changed.subtract(part.changed)
    let turn = found.filter(\.isInTurn).map(\.lane.lane)
    let isEnd = part.limit.map { turn.count < $0 } ?? true
    let last = isEnd ? Int64.max : turn.max() ?? part.above
    // Lanes that are not there any more.
    for lane in depths.keys where lane > part.above && lane <= last { depths[lane] = nil }
    for lane in part.changed { depths[lane] = nil }
    for depth in found { depths[depth.lane.lane] = depth.ready > 0 ? depth : nil }
    if part.limit == nil { changed = [] }
    reached = isEnd ? 0 : last
  }
}
