import FoundationEssentials
import Glibc
import JobModel
import Subprocess
import SystemPackage

/// An HTTP source of small JSON pages in a process of its own, Python's `http.server`, and a loop over them in another one.
struct PageSource: Sendable {
  static let pageBytes = 6_000

  private static let script = """
    from http import client, server as http
    from json import dumps, loads
    from os import rename
    from sys import argv
    from time import monotonic

    def serve(pages, size, port_file):
        row = {"id": 0, "text": "x" * 60}
        rows = max(1, size // (len(dumps(row)) + 2))
        def body(page):
            following = str(page + 1) if page + 1 < pages else None
            return dumps({"data": [dict(row, id=page * rows + n) for n in range(rows)], "next": following}).encode()
        bodies = [body(page) for page in range(pages)]

        class Handler(http.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def do_GET(self):
                page = bodies[int(self.path.split("page=")[1]) if "page=" in self.path else 0]
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)
                self.wfile.flush()

            def log_message(self, *_):
                pass

        server = http.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        with open(port_file + ".part", "w") as file:
            file.write(str(server.server_port))
        rename(port_file + ".part", port_file)
        server.serve_forever()

    def loop(port):
        connection = client.HTTPConnection("127.0.0.1", port)
        path, start = "/", monotonic()
        while path:
            connection.request("GET", path)
            following = loads(connection.getresponse().read())["next"]
            path = following and "/?page=" + following
        print(monotonic() - start)

    if argv[1] == "serve":
        serve(int(argv[2]), int(argv[3]), argv[4])
    else:
        loop(int(argv[2]))

    """

  private static let python = Executable.name("python3")

  let port: Int
  private let scriptPath: String
  var url: String { "http://127.0.0.1:\(port)" }

  /// Serves so many pages while `body` runs.
  static func serving<T: Sendable>(
    pages: Int, in folder: String, _ body: @Sendable (PageSource) async throws -> T
  ) async throws -> T {
    let (path, portFile) = (folder + "/pages.py", folder + "/pages.port")
    try Data(script.utf8).write(to: URL(filePath: path))
    var options = PlatformOptions()
    options.teardownSequence = [.send(signal: .kill, allowedDurationToNextStep: .seconds(1))]
    let serve: Arguments = [path, "serve", "\(pages)", "\(pageBytes)", portFile]
    return try await withThrowingTaskGroup(of: Void.self) { [options] group in
      group.addTask {
        _ = try await Subprocess.run(
          python, arguments: serve, platformOptions: options, output: .discarded, error: .discarded)
      }
      let port = try await Waiting(look: .milliseconds(20), patience: .seconds(30)).wait(for: "the source of pages") {
        (try? String(contentsOfFile: portFile, encoding: .utf8)).flatMap { Int($0) }
      }
      let result = try await body(PageSource(port: port, scriptPath: path))
      // Its end by a signal is no error.
      group.cancelAll()
      return result
    }
  }

  /// Reads page after page and keeps nothing. Returns the seconds.
  func readAll() async throws -> Double {
    let outcome = try await Subprocess.run(
      Self.python, arguments: [scriptPath, "loop", "\(port)"], output: .string(limit: 1024), error: .string(limit: 4096)
    )
    guard let seconds = Double(outcome.standardOutput.filter { !$0.isWhitespace }) else {
      throw BenchError("loop_failed", "the plain loop said: \(outcome.standardError.prefix(200))")
    }
    return seconds
  }
}
