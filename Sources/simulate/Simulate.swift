import Simulation

#if canImport(Glibc)
  import Glibc
#endif

/// `simulate 7` or `simulate 1..50`: a line for each seed, and exit code 1 once an invariant is broken.
@main
struct Simulate {
  static func main() {
    guard CommandLine.arguments.count == 2, let seeds = seeds(of: CommandLine.arguments[1]) else {
      print("usage: simulate SEED or simulate FIRST..LAST")
      exit(2)
    }
    for seed in seeds {
      let report = Simulation(seed: seed).run()
      print(report.text)
      if report.failure != nil {
        print("simulate: failed seed=\(seed)")
        exit(1)
      }
    }
    print("simulate: ok seeds=\(seeds.count)")
  }

  private static func seeds(of text: String) -> ClosedRange<UInt64>? {
    let bounds = text.split(separator: ".").map { UInt64($0) }
    switch (bounds.count, text.contains("..")) {
    case (1, false): return bounds[0].map { $0...$0 }
    case (2, true):
      guard let first = bounds[0], let last = bounds[1], first <= last, last - first < 1_000_000 else { return nil }
      return first...last
    default: return nil
    }
  }
}
