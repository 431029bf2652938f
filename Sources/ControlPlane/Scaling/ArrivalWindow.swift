import JobStore

/// How many jobs came into each lane within the last 5 and 30 minutes. Pure: the caller says what came and when.
struct ArrivalWindow: Sendable, Equatable {
  /// How finely time is cut: a job counts for up to this long more than 5 or 30 minutes.
  private static let bucketSeconds = 30.0
  private static let longSeconds = 1800.0
  private static let shortSeconds = 300.0

  private struct Bucket: Sendable, Equatable {
    var start: Double
    var jobs: Double
  }

  struct Counts: Sendable, Equatable {
    var minutes5 = 0.0
    var minutes30 = 0.0

    mutating func add(_ other: Counts) {
      minutes5 += other.minutes5
      minutes30 += other.minutes30
    }
  }

  private var buckets: [JobStore.LaneKind: [Bucket]] = [:]

  mutating func add(_ jobs: Int, to lane: JobStore.LaneKind, at seconds: Double) {
    guard jobs > 0 else { return }
    var list = buckets[lane] ?? []
    if let last = list.last, seconds - last.start < Self.bucketSeconds {
      list[list.count - 1].jobs += Double(jobs)
    } else {
      list.append(Bucket(start: seconds, jobs: Double(jobs)))
    }
    buckets[lane] = list
  }

  /// Forgets what is too old, and what a clock has dated that was ahead and was set back.
  mutating func forget(at now: Double) {
    for (lane, list) in buckets {
      let kept = list.filter { $0.start > now - Self.longSeconds - Self.bucketSeconds && $0.start <= now }
      buckets[lane] = kept.isEmpty ? nil : kept
    }
  }

  func counts(at now: Double) -> [JobStore.LaneKind: Counts] {
    buckets.mapValues { list in
      list.reduce(into: Counts()) { counts, bucket in
        counts.minutes30 += bucket.jobs
        if bucket.start > now - Self.shortSeconds - Self.bucketSeconds { counts.minutes5 += bucket.jobs }
      }
    }
  }
}
