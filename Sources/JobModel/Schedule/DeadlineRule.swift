/// By when the data of a pipeline's runs must be loaded, as its definition says: a time of a clock, every day.
///
/// A run is due at the first such time after the time it was scheduled for; a run that a person started, after its start.
package struct DeadlineRule: Sendable, Hashable {
  /// `05:30`
  package let loadedBy: String
  /// A name of the IANA list; the database knows them.
  package let timeZone: String
  /// The same time as a schedule: what a change of the clock does to it is what it does to a schedule.
  package let cron: CronSchedule

  /// Nil where `loadedBy` is not hours and minutes.
  package init?(loadedBy: String, timeZone: String) {
    let parts = loadedBy.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, let hour = Int(parts[0]), let minute = Int(parts[1]),
      let cron = try? CronSchedule("\(minute) \(hour) * * *")
    else { return nil }
    self.loadedBy = loadedBy
    self.timeZone = timeZone
    self.cron = cron
  }
}
