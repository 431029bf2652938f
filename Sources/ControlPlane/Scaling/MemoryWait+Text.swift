import JobModel
import JobStore

extension JobStore.MemoryWait {
  /// For a person: what waits where, and for how long.
  package var text: String {
    "\(pipeline)/\(stage) \(label) (job \(job)) has waited for room in the memory of \(host) for \(Int(seconds)) s"
  }
}
