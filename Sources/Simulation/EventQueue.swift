/// What is to happen and when; at the same moment, in the order in which it was planned.
struct EventQueue {
  struct Event {
    var at: SimulatedInstant
    var number: Int
    /// Whose doing it is; nil for the world's.
    var process: SimulatedProcess?
    var action: () throws -> Void
  }

  private var heap: [Event] = []
  private var numbers = 0

  mutating func plan(at time: SimulatedInstant, for process: SimulatedProcess?, _ action: @escaping () throws -> Void) {
    numbers += 1
    put(Event(at: time, number: numbers, process: process, action: action))
  }

  /// Puts an event off; among those of its new moment it keeps its place.
  mutating func putOff(_ event: Event, to time: SimulatedInstant) {
    var event = event
    event.at = time
    put(event)
  }

  mutating func next() -> Event? {
    guard let first = heap.first else { return nil }
    let last = heap.removeLast()
    if heap.isEmpty { return first }
    heap[0] = last
    var index = 0
    while true {
      var least = index
      for child in [2 * index + 1, 2 * index + 2] where child < heap.count && isBefore(heap[child], heap[least]) {
        least = child
      }
      if least == index { return first }
      heap.swapAt(index, least)
      index = least
    }
  }

  private mutating func put(_ event: Event) {
    heap.append(event)
    var index = heap.count - 1
    while index > 0, isBefore(heap[index], heap[(index - 1) / 2]) {
      heap.swapAt(index, (index - 1) / 2)
      index = (index - 1) / 2
    }
  }

  private func isBefore(_ first: Event, _ second: Event) -> Bool {
    first.at == second.at ? first.number < second.number : first.at < second.at
  }
}
