/// Finds what an author meant.
package enum Spelling {
  /// The work grows with the product of two lengths, and no name that someone misspelt is longer.
  private static let longestWord = 128
  private static let mostCandidates = 200

  /// `did you mean "name"?`; nil where no candidate is near.
  package static func didYouMean(_ word: String, among candidates: [String]) -> String? {
    nearest(to: word, in: candidates).map { "did you mean \"\($0)\"?" }
  }

  /// The candidate that takes the fewest edits, unless that would be another word altogether.
  static func nearest(to word: String, in candidates: [String]) -> String? {
    guard word.utf8.count <= longestWord else { return nil }
    let candidates = candidates.prefix(mostCandidates).filter { $0.utf8.count <= longestWord }
    let limit = word.count <= 3 ? 1 : max(2, word.count / 3)
    let ranked = candidates.map { (candidate: $0, edits: distance(word.lowercased(), $0.lowercased())) }
    return ranked.filter { $0.edits <= limit }.min { ($0.edits, $0.candidate) < ($1.edits, $1.candidate) }?.candidate
  }

  /// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
  static func distance(_ left: String, _ right: String) -> Int {
    let (a, b) = (Array(left), Array(right))
    guard !a.isEmpty, !b.isEmpty else { return max(a.count, b.count) }
    var previous: [Int] = []
    var current = Array(0...b.count)
    for i in 1...a.count {
      var next = [i] + Array(repeating: 0, count: b.count)
      for j in 1...b.count {
        let same = a[i - 1] == b[j - 1]
        next[j] = min(current[j] + 1, next[j - 1] + 1, current[j - 1] + (same ? 0 : 1))
        if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { next[j] = min(next[j], previous[j - 2] + 1) }
      }
      previous = current
      current = next
    }
    return current[b.count]
  }
}
