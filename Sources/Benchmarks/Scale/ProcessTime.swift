import FoundationEssentials
import Glibc

/// The processor time of a process, by Linux.
enum ProcessTime {
  /// In user and kernel mode so far, in seconds; zero where the process is not there, or not on this machine.
  static func seconds(of pid: Int64) -> Double {
    let bytes = FileManager.default.contents(atPath: "/proc/\(pid)/stat") ?? Data()
    let text = String(decoding: bytes, as: UTF8.self)
    // The second field is the program's name in brackets, which may have brackets and spaces in it.
    guard let name = text.lastIndex(of: ")") else { return 0 }
    let fields = text[text.index(after: name)...].split(separator: " ")
    guard fields.count > 12, let user = Double(fields[11]), let kernel = Double(fields[12]) else { return 0 }
    return (user + kernel) / Double(sysconf(Int32(_SC_CLK_TCK)))
  }
}
