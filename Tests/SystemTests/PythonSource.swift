import FoundationEssentials
import TestSupport

/// An HTTP source in a process of its own: rows of `rows.json` whose `at` is in what `since` and `until` ask for, and
/// half a gibibyte below `/large`.
enum PythonSource {
  private static let script = """
    import http.server, json, os, urllib.parse

    class Source(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/large":
                return self.large()
            asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
            with open("rows.json") as file:
                rows = json.load(file)
            rows = [r for r in rows if r["at"] >= asked.get("since", "") and r["at"] < asked.get("until", "~")]
            body = json.dumps(rows).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def large(self):
            self.send_response(200)
            self.send_header("Content-Length", str(512 << 20))
            self.end_headers()
            for _ in range(512):
                self.wfile.write(b"x" * (1 << 20))

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Source)
    with open("port.part", "w") as file:
        file.write(str(server.server_port))
    os.rename("port.part", "port")
    server.serve_forever()

    """

  /// Starts it in the project; the caller's `Installed` ends it.
  static func start(_ sluice: Installed) async throws -> String {
    try sluice.project.write("source.py", script)
    _ = try sluice.start(program: "/usr/bin/python3", "source.py", name: "source")
    try await eventually("the source listens") { sluice.project.exists("port") }
    return "http://127.0.0.1:" + (try sluice.project.text("port"))
  }
}
