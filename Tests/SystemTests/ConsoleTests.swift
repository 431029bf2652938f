import Dispatch
import Glibc
import TestSupport
import Testing

@testable import sluice

@Suite("Standard output")
struct ConsoleTests {
  @Test("a result that cannot be written is an error, not a success with less")
  func fullDevice() async throws {
    try await TestProject.withProject { project in
      var sluice = Installed(project)
      sluice.command = ["/bin/sh", "-c", "exec \"$0\" \"$@\" > /dev/full", Installed.program]
      for verb in [["--help"], ["init", "--json"]] {
        let outcome = try await sluice.call(verb)
        #expect(outcome.status == 1, "\(verb)")
        #expect(outcome.errors.contains("cannot write the result: No space left on device"), "\(outcome.errors)")
      }
    }
  }

  @Test("a reader that went away ends the process by the signal that shells expect")
  func broken() async throws {
    try await TestProject.withProject { project in
      var sluice = Installed(project)
      // The verb begins when the pipe's other end is closed.
      sluice.command = [
        "/bin/sh", "-c",
        "mkfifo f; { read go < f; \"$0\" \"$@\"; echo \"ended $?\" >&2; } | { exec <&-; echo > f; }", Installed.program,
      ]
      let outcome = try await sluice("--help")
      #expect(outcome.errors == "ended 141\n")
    }
  }

  @Test("a pipe that does not block gets every byte")
  func nonBlocking() async throws {
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    for end in ends { try #require(fcntl(end, F_SETFL, O_NONBLOCK) == 0 && fcntl(end, F_SETFD, FD_CLOEXEC) == 0) }
    let (reader, writer) = (ends[0], ends[1])
    let bytes = (0..<(1 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let (sent, isSent) = AsyncStream<Int32>.makeStream()
    DispatchQueue.global().async {
      isSent.yield(Console.send(bytes, to: writer))
      isSent.finish()
      close(writer)
    }
    var received: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      var ready = pollfd(fd: reader, events: Int16(POLLIN), revents: 0)
      poll(&ready, 1, -1)
      let count = read(reader, &buffer, buffer.count)
      if count < 0 && errno == EAGAIN { continue }
      guard count > 0 else { break }
      received += buffer[..<count]
    }
    close(reader)
    #expect(received == bytes)
    for await failure in sent { #expect(failure == 0) }
  }

  @Test("the end of the reader is told to the caller")
  func brokenPipe() throws {
    signal(SIGPIPE, SIG_IGN)
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    close(ends[0])
    #expect(Console.send([1, 2, 3], to: ends[1]) == EPIPE)
    close(ends[1])
  }
}
