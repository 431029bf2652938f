import FoundationEssentials
import Glibc
import PipelineDefinition

/// How long this machine has been up: a clock that is never set.
enum Uptime {
  /// This moment.
  ///
  /// - Parameter now: By the database's clock, in seconds since 1970.
  static func moment(at now: Int64) -> EnvironmentMarker.DueNotice {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    // Empty where it cannot be read: one machine then.
    let boot = FileManager.default.contents(atPath: "/proc/sys/kernel/random/boot_id") ?? Data()
    return EnvironmentMarker.DueNotice(
      at: now, boot: String(decoding: boot, as: UTF8.self).filter { $0 != "\n" }, uptime: Int64(time.tv_sec))
  }
}
