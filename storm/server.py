"""The source over HTTP, on loopback, as slow and as moody as a real one.

    GET /orders?after=SEQ[&page=TOKEN]   JSON: {"data": [...], "next": TOKEN}; no "next" on the last page
    GET /ledger                          CSV: every row of the ledger as it stands, spread over some seconds
    GET /pulse                           JSON: one small record

An answer to `orders` is cut into PAGES pages of PAGE_SECONDS each, so that a run of it lasts for seconds and is often
under way when a release changes. A token holds all that its page depends on: the same token gives the same rows.
"""

import http.server
import json
import random
import sys
import threading
import time
import urllib.parse

PAGES = 40
PAGE_SECONDS = 0.1
LEDGER_SECONDS = 2.5
LEDGER_PIECES = 25
# Beside each ledger row, so that the body is a large one.
FILLER = "x" * 200
BUSY_SHARE = 0.005


class Page:
    """Which orders a page holds: those after `start`, up to `size` of them, none after `upto`."""

    def __init__(self, start, upto, size):
        self.start, self.upto, self.size = start, upto, size

    @classmethod
    def first(cls, after, count):
        return cls(after, count, max(1, -(-(count - after) // PAGES)))

    @classmethod
    def of_token(cls, token):
        return cls(*(int(part) for part in token.split("-")))

    @property
    def end(self):
        return min(self.start + self.size, self.upto)

    @property
    def token(self):
        """Of the page that follows; None after the last one."""
        return f"{self.end}-{self.upto}-{self.size}" if self.end < self.upto else None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        try:
            if url.path == "/pulse":
                self.send("application/json", json.dumps([{"at": time.time()}]).encode())
            elif self.server.is_busy():
                self.send("text/plain", b"busy\n", 503, {"Retry-After": "1"})
            elif url.path == "/orders":
                self.orders(query)
            elif url.path == "/ledger":
                self.ledger()
            else:
                self.send("text/plain", b"nothing here\n", 404)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # whoever asked was killed

    def orders(self, query):
        source = self.server.source
        token = query.get("page")
        page = Page.of_token(token) if token else Page.first(int(query["after"]), source.order_count())
        time.sleep(PAGE_SECONDS)
        answer = {"data": source.orders_between(page.start, page.end)}
        if page.token:
            answer["next"] = page.token
        self.send("application/json", json.dumps(answer).encode())

    def ledger(self):
        as_of, rows = self.server.source.ledger_now()
        lines = ["id,version,payload,as_of,filler\n"]
        lines += [f"{row['id']},{row['version']},{row['payload']},{as_of},{FILLER}\n" for row in rows]
        body = "".join(lines).encode()
        self.answer(200, {"Content-Type": "text/csv; charset=utf-8", "Content-Length": str(len(body))})
        piece = -(-len(body) // LEDGER_PIECES)
        for start in range(0, len(body), piece):
            self.wfile.write(body[start : start + piece])
            time.sleep(LEDGER_SECONDS / LEDGER_PIECES)

    def send(self, content_type, body, status=200, headers=None):
        self.answer(status, {"Content-Type": content_type, "Content-Length": str(len(body)), **(headers or {})})
        self.wfile.write(body)

    def answer(self, status, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_):
        """Nothing on standard error: what was sent is in the journal."""


class SourceServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, source):
        super().__init__(("127.0.0.1", 0), Handler)
        self.source = source
        self.random = random.Random(f"{source.seed}:server")
        self.random_lock = threading.Lock()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def is_busy(self):
        with self.random_lock:
            return self.random.random() < BUSY_SHARE

    def handle_error(self, request, client_address):
        """A client that went away in the middle is part of the storm; anything else is shown."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)

    def start(self):
        threading.Thread(target=self.serve_forever, name="server", daemon=True).start()
