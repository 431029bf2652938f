"""The demo's remote system: an HTTP server on loopback with a shop's export and a billing system's pages.

    python3 demo/serve.py DATA --port-file FILE --log FILE [--token TOKEN] [--pace SECONDS]

    GET /exports/orders[?part=N]               CSV; the `Link` header names the next part
    GET /v2/invoices[?page_token=T]            JSON: {"data": [...], "next": "T"}; no "next" on the last page

It is as moody as the real thing: once it answers 429 with `Retry-After`, once 500, and once 503. It ends when its
standard input does, so that it never outlives whoever started it.
"""

import argparse
import http.server
import json
import os
import pathlib
import sys
import threading
import time
import urllib.parse

# The n-th request of a path and part: what is answered the first time it is asked for.
MOODS = {
    ("/v2/invoices", "page-005.json"): (429, {"Retry-After": "1"}),
    ("/v2/invoices", "page-007.json"): (500, {}),
    ("/exports/orders", "orders-003.csv"): (503, {"Retry-After": "1"}),
}
CHUNK_BYTES = 256 * 1024


class Remote:
    """What is served, and what was asked for: one line of JSON in the log for each answer."""

    def __init__(self, data, token, pace, log):
        self.parts = sorted((data / "orders").glob("orders-*.csv"))
        self.invoices = data / "invoices"
        self.tokens = json.loads((self.invoices / "tokens.json").read_text())
        self.token = token
        self.pace = pace
        self.log = open(log, "a", buffering=1)
        self.lock = threading.Lock()
        self.moods = dict(MOODS)

    def mood(self, path, name):
        with self.lock:
            return self.moods.pop((path, name), None)

    def record(self, **facts):
        with self.lock:
            self.log.write(json.dumps({"at": round(time.time(), 3), **facts}) + "\n")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    remote: Remote

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if self.headers.get("Authorization") != f"Bearer {self.remote.token}":
            return self.refuse(url.path, "", 401, {"WWW-Authenticate": "Bearer"})
        if url.path == "/exports/orders":
            return self.orders(url.path, query)
        if url.path == "/v2/invoices":
            return self.page(url.path, query)
        return self.refuse(url.path, "", 404, {})

    def orders(self, path, query):
        part = query.get("part", "1")
        if not part.isdigit() or not 1 <= int(part) <= len(self.remote.parts):
            return self.refuse(path, part, 404, {})
        number = int(part)
        headers = {"Content-Type": "text/csv; charset=utf-8"}
        if number < len(self.remote.parts):
            following = urllib.parse.urlencode({**query, "part": number + 1})
            headers["Link"] = f'<{path}?{following}>; rel="next"'
        return self.send(path, self.remote.parts[number - 1], headers, self.remote.pace)

    def page(self, path, query):
        token = query.get("page_token")
        name = "page-001.json" if token is None else self.remote.tokens.get(token)
        if name is None:
            return self.refuse(path, "unknown token", 400, {})
        return self.send(path, self.remote.invoices / name, {"Content-Type": "application/json"}, pace=0)

    def refuse(self, path, name, status, headers):
        self.answer(status, {**headers, "Content-Type": "text/plain", "Content-Length": "0"})
        self.remote.record(path=path, name=name, status=status, bytes=0, whole=True)

    def send(self, path, file, headers, pace):
        """Sends a file, spread over `pace` seconds."""
        if mood := self.remote.mood(path, file.name):
            return self.refuse(path, file.name, *mood)
        body = file.read_bytes()
        sent = 0
        try:
            self.answer(200, {**headers, "Content-Length": str(len(body))})
            chunk = CHUNK_BYTES if pace == 0 else max(1, -(-len(body) // 20))
            for start in range(0, len(body), chunk):
                self.wfile.write(body[start : start + chunk])
                sent = min(start + chunk, len(body))
                if pace:
                    time.sleep(pace / 20)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        self.remote.record(path=path, name=file.name, status=200, bytes=sent, whole=sent == len(body))

    def answer(self, status, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_):
        """Nothing on standard error: the log file has it."""


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


def end_with_standard_input():
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--port-file", type=pathlib.Path, required=True)
    parser.add_argument("--log", type=pathlib.Path, required=True)
    parser.add_argument("--token", default="demo-token")
    parser.add_argument("--pace", type=float, default=0, help="seconds that each file of orders takes")
    options = parser.parse_args()

    Handler.remote = Remote(options.data, options.token, options.pace, options.log)
    server = Server(("127.0.0.1", 0), Handler)
    partial = options.port_file.with_suffix(".partial")
    partial.write_text(f"{server.server_port}\n")
    partial.rename(options.port_file)
    threading.Thread(target=end_with_standard_input, daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main()
