/// Waiting jobs, by deadline, then by arrival.
struct JobQueue {
  private struct Entry {
    var deadline: Double
    var number: Int

    func isBefore(_ other: Entry) -> Bool {
      deadline == other.deadline ? number < other.number : deadline < other.deadline
    }
  }

  private var heap: [Entry] = []

  var count: Int { heap.count }
  var isEmpty: Bool { heap.isEmpty }
  /// In no order.
  var numbers: some Sequence<Int> { heap.lazy.map(\.number) }

  mutating func add(_ number: Int, deadline: Double?) {
    heap.append(Entry(deadline: deadline ?? .infinity, number: number))
    var index = heap.count - 1
    while index > 0, heap[index].isBefore(heap[(index - 1) / 2]) {
      heap.swapAt(index, (index - 1) / 2)
      index = (index - 1) / 2
    }
  }

  mutating func popFirst() -> Int? {
    guard let first = heap.first else { return nil }
    let last = heap.removeLast()
    if heap.isEmpty { return first.number }
    heap[0] = last
    var index = 0
    while true {
      let left = 2 * index + 1
      var least = index
      if left < heap.count, heap[left].isBefore(heap[least]) { least = left }
      if left + 1 < heap.count, heap[left + 1].isBefore(heap[least]) { least = left + 1 }
      if least == index { return first.number }
      heap.swapAt(index, least)
      index = least
    }
  }
}
