import JobStore
import Testing

@testable import Ingestion

@Suite("Where a list of files is cut")
struct PartRuleTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    var weights: [Int64?]
    var maximum = 4
    var cuts: [Int]
    var testDescription: String { name }
  }

  /// A part is 100 bytes or ten files: each file counts ten bytes more than it has.
  @Test(
    "is told by bytes, files and the number of jobs",
    arguments: [
      Case(name: "nothing", weights: [], cuts: []),
      Case(name: "one file", weights: [1_000_000], cuts: []),
      Case(name: "less than two parts", weights: [90, 79], cuts: []),
      Case(name: "two parts", weights: [90, 90], cuts: [0]),
      Case(name: "by files", weights: Array(repeating: 0, count: 40), cuts: [9, 19, 29]),
      Case(name: "no more than jobs", weights: Array(repeating: 90, count: 8), cuts: [1, 3, 5]),
      Case(name: "never", weights: Array(repeating: 90, count: 8), maximum: 1, cuts: []),
      Case(name: "one large file among small ones", weights: [0, 0, 5_000, 0, 0], cuts: [2]),
      Case(name: "a large file first", weights: [5_000, 0, 0, 0], cuts: [0]),
      Case(name: "a large file last", weights: [0, 0, 0, 5_000], cuts: []),
      Case(name: "known files cost nothing", weights: [nil, 90, nil, nil, 90, nil], cuts: [1]),
      Case(name: "only known files", weights: Array(repeating: nil, count: 5_000), cuts: []),
      Case(name: "sizes beyond all sums", weights: [.max, .max, .max, 0], maximum: 3, cuts: [0, 1]),
    ])
  func cuts(sample: Case) {
    let rule = PartRule(maximum: sample.maximum, bytes: 100, files: 10)
    #expect(rule.cuts(sample.weights) == sample.cuts)
  }

  @Test("leaves every part with something to bring, and 16 parts at most", arguments: [2, 3, 7, 16, 1_000])
  func bounds(maximum: Int) {
    var state: UInt64 = 88_172_645_463_325_252
    for _ in 0..<200 {
      let weights: [Int64?] = (0..<60).map { _ in
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state % 3 == 0 ? nil : Int64(state % 400)
      }
      let cuts = PartRule(maximum: maximum, bytes: 100, files: 10).cuts(weights)
      #expect(cuts.count < min(maximum, JobStore.maximumParts))
      var first = 0
      for end in cuts + [weights.count - 1] {
        #expect(weights[first...end].contains { $0 != nil })
        first = end + 1
      }
    }
  }

  @Test("gives every path to exactly one part, whatever it is")
  func paths() {
    let parts = FilesPart.parts(endingAt: ["b", "b/é", "c"])
    #expect(parts.map(\.number) == [0, 1, 2, 3] && parts.allSatisfy { $0.count == 4 })
    for path in ["", "a", "b", "b/", "b/e", "b/\u{65}\u{301}", "b/é", "b/éa", "bb", "c", "c0", "ÿ", "\u{10FFFF}"] {
      #expect(parts.count { $0.contains(path) } == 1, "\(path)")
    }
    #expect(parts.map(\.firstSequence) == [0, 100_000_000, 200_000_000, 300_000_000])
    #expect(FilesPart.objects > SourceDirectory.maximumEntries)
    #expect(JobStore.maximumParts * FilesPart.objects <= Int32.max)
  }
}
