import JobStore
import Testing

@testable import ControlPlane

@Suite("What is remembered of lanes between two looks")
struct LaneMemoryTests {
  private func depth(_ lane: Int64, _ ready: Int, inTurn: Bool = true) -> JobStore.LaneDepth {
    JobStore.LaneDepth(
      lane: JobStore.LaneKind(lane: lane, engine: 0, pipeline: "p\(lane)", stage: "ingest", kind: "ingest"),
      ready: ready, isInTurn: inTurn)
  }

  /// What a look at a queue finds.
  private func look(_ queue: [Int64: Int], _ part: JobStore.LanePart) -> [JobStore.LaneDepth] {
    let lanes = queue.keys.sorted()
    let turn = Set(lanes.filter { $0 > part.above }.prefix(part.limit ?? lanes.count))
    return lanes.filter { turn.contains($0) || part.changed.contains($0) }
      .map { depth($0, queue[$0] ?? 0, inTurn: turn.contains($0)) }
  }

  private func look(_ queue: [Int64: Int], _ memory: inout LaneMemory) {
    let part = memory.next
    memory.take(look(queue, part), of: part)
  }

  private func ready(_ memory: LaneMemory) -> [Int64: Int] {
    Dictionary(uniqueKeysWithValues: memory.lanes.map { ($0.lane.lane, $0.ready) })
  }

  @Test("the first look is at all lanes, and a few lanes are looked at each time")
  func few() {
    var memory = LaneMemory()
    #expect(memory.next == JobStore.LanePart())
    look([1: 5, 2: 0, 9: 3], &memory)
    #expect(ready(memory) == [1: 5, 9: 3])
    look([1: 4, 2: 7], &memory)
    #expect(ready(memory) == [1: 4, 2: 7])
    look([:], &memory)
    #expect(ready(memory).isEmpty)
  }

  @Test("of very many lanes those that changed are looked at, and the others in turn")
  func many() {
    var queue = Dictionary(uniqueKeysWithValues: (1...1000).map { (Int64($0), $0) })
    var memory = LaneMemory()
    look(queue, &memory)
    #expect(ready(memory) == queue)
    queue[900] = 1
    queue[950] = 2
    queue[10] = nil
    memory.note(changed: [900])
    look(queue, &memory)
    #expect(ready(memory)[900] == 1)
    #expect(ready(memory)[950] == 950, "its turn has not come")
    #expect(ready(memory)[10] == nil, "the lane is not there any more")
    for _ in 0..<4 { look(queue, &memory) }
    #expect(ready(memory) == queue)
    #expect(memory.next.above == 257)
  }

  @Test("more lanes than one look takes have their turn in the next ones")
  func surge() {
    var queue = Dictionary(uniqueKeysWithValues: (1...2000).map { (Int64($0), 1) })
    var memory = LaneMemory()
    look(queue, &memory)
    for lane in 1001...1600 { queue[Int64(lane)] = 2 }
    memory.note(changed: (1001...1600).map(Int64.init))
    for _ in 0..<3 {
      #expect(memory.next.changed.count <= LaneMemory.lanesPerLook)
      look(queue, &memory)
    }
    #expect(memory.next.changed.isEmpty)
    #expect(ready(memory) == queue)
  }

  @Test("a lane that changed and is gone is forgotten")
  func gone() {
    var memory = LaneMemory()
    look(Dictionary(uniqueKeysWithValues: (1...600).map { (Int64($0), 1) }), &memory)
    memory.note(changed: [600])
    look(Dictionary(uniqueKeysWithValues: (1...599).map { (Int64($0), 1) }), &memory)
    #expect(ready(memory)[600] == nil)
  }
}
