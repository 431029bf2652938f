/// When a pipeline's runs start by themselves, as its definition says.
package struct ScheduleRule: Sendable, Hashable {
  /// What a time does that comes while a run of the pipeline is going. Loads and backfills do not count.
  package enum Overlap: String, Sendable, CaseIterable {
    /// Nothing: the next time comes.
    case skip
    /// It waits for that run to end. One time waits: the latest.
    case queue
    /// It starts a run beside the one that is going.
    case allow
  }

  /// What follows an outage in which times went by.
  package enum CatchUp: String, Sendable, CaseIterable {
    /// One run, for the latest of them.
    case latest
    /// A run for each, one after the other.
    case all
    /// None.
    case none
  }

  package var cron: CronSchedule
  /// A name of the IANA list; the database knows them.
  package var timeZone: String
  package var overlap: Overlap
  package var catchUp: CatchUp

  package init(cron: CronSchedule, timeZone: String, overlap: Overlap = .skip, catchUp: CatchUp = .latest) {
    self.cron = cron
    self.timeZone = timeZone
    self.overlap = overlap
    self.catchUp = catchUp
  }
}
