import FoundationEssentials
import Launchers
import TestSupport
import Testing

@testable import sluice

@Suite("Files of hosts")
struct HostFilesTests {
  private static let day = 86_400.0

  @Test("of a host that is gone for good are removed; those of this host and of one whose process lives stay")
  func sweep() async throws {
    try await TestProject.withProject { project in
      let state = project.path(".sluice/local")
      for host in ["here", "gone", "alive"] {
        try project.write(".sluice/local/control-\(host).json", "{}")
        try project.write(".sluice/local/control-\(host).token", "t")
        try project.write(".sluice/local/processes/\(host)/control", "")
        try project.write(".sluice/local/processes/\(host)/worker-1", "")
      }
      // An earlier engine's, and another file of that name.
      for name in ["control.json", "control-x.log"] { try project.write(".sluice/local/" + name, "") }
      let lock = try #require(try ProcessTable(folder: state + "/processes/alive").join(as: ProcessTable.control))
      let files = HostFiles(state, host: "here")
      let before = try FileManager.default.subpathsOfDirectory(atPath: state).sorted()
      files.lookAfter(now: Date() + 29 * Self.day)
      #expect(try FileManager.default.subpathsOfDirectory(atPath: state).sorted() == before)
      files.lookAfter(now: Date() + 31 * Self.day)
      let after = try FileManager.default.subpathsOfDirectory(atPath: state).sorted()
      #expect(after == before.filter { !$0.contains("gone") }, "\(after)")
      lock.release()
      files.lookAfter(now: Date() + 31 * Self.day)
      let last = try FileManager.default.subpathsOfDirectory(atPath: state)
      #expect(!last.contains { $0.contains("alive") } && last.contains("control-here.token"), "\(last)")
    }
  }

  @Test("are refreshed by the host's own control, so that another host takes it for alive")
  func refreshed() async throws {
    try await TestProject.withProject { project in
      let state = project.path(".sluice/local")
      try project.write(".sluice/local/control-here.token", "t")
      let old = Date() - 40 * Self.day
      try FileManager.default.setAttributes([.modificationDate: old], ofItemAtPath: state + "/control-here.token")
      HostFiles(state, host: "here").lookAfter(now: Date())
      HostFiles(state, host: "there").lookAfter(now: Date())
      #expect(FileManager.default.fileExists(atPath: state + "/control-here.token"))
      try FileManager.default.setAttributes([.modificationDate: old], ofItemAtPath: state + "/control-here.token")
      HostFiles(state, host: "there").lookAfter(now: Date())
      #expect(!FileManager.default.fileExists(atPath: state + "/control-here.token"))
    }
  }
}
