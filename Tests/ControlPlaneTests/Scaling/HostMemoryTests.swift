import Testing

@testable import ControlPlane

@Suite("The memory that this process shares")
struct HostMemoryTests {
  private static let machine = [
    "/proc/meminfo": "MemTotal:       16000000 kB\nMemFree:  100 kB\nMemAvailable:   12000000 kB\nHugePages_Total: 0\n",
    "/proc/pressure/memory":
      "some avg10=12.50 avg60=1.00 avg300=0.10 total=1\nfull avg10=3.00 avg60=0.00 avg300=0.00 total=1\n",
  ]

  private func memory(_ files: [String: String]) -> HostMemory {
    HostMemory { Self.machine.merging(files) { _, new in new }[$0] }
  }

  @Test("is the machine's where no cgroup has a limit")
  func bare() {
    let bare = memory(["/proc/self/cgroup": "0::/user.slice\n", "/sys/fs/cgroup/user.slice/memory.max": "max\n"])
    #expect(bare == HostMemory(limitBytes: 16_000_000 * 1024, usedBytes: 4_000_000 * 1024, pressure: 0.125))
    #expect(memory([:]).limitBytes == 16_384_000_000)
    #expect(HostMemory { _ in nil } == HostMemory(), "nothing is known")
  }

  @Test("of version 2 is that of the group, or of one above it, that leaves least, without what is cached of files")
  func unified() {
    let files = [
      "/proc/self/cgroup": "0::/system.slice/sluice.service\n",
      "/sys/fs/cgroup/system.slice/sluice.service/memory.max": "8000000000\n",
      "/sys/fs/cgroup/system.slice/sluice.service/memory.high": "max\n",
      "/sys/fs/cgroup/system.slice/sluice.service/memory.current": "1000000000\n",
      "/sys/fs/cgroup/system.slice/memory.max": "4000000000\n",
      "/sys/fs/cgroup/system.slice/memory.high": "3000000000\n",
      "/sys/fs/cgroup/system.slice/memory.current": "2000000000\n",
      "/sys/fs/cgroup/system.slice/memory.stat": "anon 5\ninactive_file 500000000\n",
      "/sys/fs/cgroup/system.slice/memory.pressure": "some avg10=40.00 avg60=0 avg300=0 total=0\n",
    ]
    #expect(memory(files) == HostMemory(limitBytes: 3e9, usedBytes: 1.5e9, pressure: 0.4))
  }

  @Test("has a smallest limit, however much of it is free")
  func least() {
    let files = [
      "/proc/self/cgroup": "0::/s\n", "/sys/fs/cgroup/s/memory.max": "15000000000\n",
      "/sys/fs/cgroup/s/memory.current": "0\n",
    ]
    #expect(memory(files).limitBytes == 16_384_000_000)
    #expect(memory(files).leastLimitBytes == 15_000_000_000)
  }

  @Test("of version 1 is found by the memory controller, also where the container sees only its own root")
  func legacy() {
    let files = [
      "/proc/self/cgroup": "12:cpu,cpuacct:/docker/a:b\n7:memory:/docker/a:b\n0::/\n",
      "/sys/fs/cgroup/memory/memory.limit_in_bytes": "2000000000\n",
      "/sys/fs/cgroup/memory/memory.usage_in_bytes": "700000000\n",
      "/sys/fs/cgroup/memory/memory.stat": "total_inactive_file 200000000\n",
    ]
    #expect(memory(files) == HostMemory(limitBytes: 2e9, usedBytes: 0.5e9, pressure: 0.125))
    var unlimited = files
    unlimited["/sys/fs/cgroup/memory/memory.limit_in_bytes"] = "9223372036854771712\n"
    #expect(memory(unlimited).limitBytes == 16_384_000_000)
  }

  @Test(
    "takes nothing from a text that is not as expected",
    arguments: ["", "some\n", "some avg10=\n", "some avg10=nan avg60=0\n", "full avg10=1.00\n"])
  func wrongPressure(text: String) {
    #expect(MemoryText.pressure(text) == nil)
  }

  @Test("knows the paths above a path")
  func ancestors() {
    #expect(MemoryText.ancestors(of: "/a/b") == ["/a/b", "/a", ""])
    #expect(MemoryText.ancestors(of: "/") == [""])
    #expect(MemoryText.ancestors(of: "/../a") == ["/a", ""], "a namespace shows what lies outside of it so")
  }

  @Test("can be read on this machine")
  func real() {
    let now = HostMemory.now()
    #expect(now.limitBytes.map { $0 > 1e6 } ?? true)
    #expect(now.usedBytes >= 0)
  }
}
