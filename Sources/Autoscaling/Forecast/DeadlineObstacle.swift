/// Why no number of workers ends work by its deadline.
package enum DeadlineObstacle: Sendable, Equatable {
  /// The pipeline's own limit of jobs at a time.
  case limit
  /// One job, or jobs that follow one another, take longer than is left.
  case chain
  /// A worker that is started now begins too late.
  case start
  /// The deadline has passed.
  case passed

  /// Lateness of less than this is within what the next look may take back.
  static let leastLateSeconds = 5.0
}
