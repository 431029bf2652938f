/// What is to happen in a simulated fleet and when; at the same moment, in the order in which it was planned.
struct FleetEventQueue {
  enum Action {
    case workerReady(Int)
    /// Of a job's attempt: a job that began again since has another number.
    case jobEnds(job: Int, attempt: Int)
    case jobYields(job: Int, attempt: Int)
    /// The grace of a worker that was ended is over.
    case graceEnds(worker: Int)
    case retry(job: Int)
    case crash
    case replace(worker: Int)
  }

  private struct Event {
    var at: Double
    var number: Int
    var action: Action

    func isBefore(_ other: Event) -> Bool { at == other.at ? number < other.number : at < other.at }
  }

  private var heap: [Event] = []
  private var planned = 0

  /// When the next one is due.
  var nextTime: Double? { heap.first?.at }

  mutating func plan(at time: Double, _ action: Action) {
    planned += 1
    heap.append(Event(at: time, number: planned, action: action))
    var index = heap.count - 1
    while index > 0, heap[index].isBefore(heap[(index - 1) / 2]) {
      heap.swapAt(index, (index - 1) / 2)
      index = (index - 1) / 2
    }
  }

  mutating func next() -> Action? {
    guard let first = heap.first else { return nil }
    let last = heap.removeLast()
    if heap.isEmpty { return first.action }
    heap[0] = last
    var index = 0
    while true {
      var least = index
      for child in [2 * index + 1, 2 * index + 2] where child < heap.count && heap[child].isBefore(heap[least]) {
        least = child
      }
      if least == index { return first.action }
      heap.swapAt(index, least)
      index = least
    }
  }
}
