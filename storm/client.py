"""A client that never stops posting: it notes every refused connection and every answer that did not come.

Runs of the pulse are posted all the time, some over a fresh connection each and some over one that is kept alive;
between them come requests for a pipeline that does not exist, which must be told so. Runs of the three pipelines are
posted by the feeder, one at a time for each: two runs that read one cursor at once would bring the same rows twice.
"""

import collections
import http.client
import json
import threading
import time

from faults import KILL_CONTROL, RESTART
from postgres import Unreachable
from project import PIPELINES, PULSE

TIMEOUT_SECONDS = 60
FRESH_SECONDS = 0.1
# Every so many-th request over a fresh connection starts a run.
PULSE_EVERY = 6
KEPT_SECONDS = 0.7
FEED_SECONDS = 0.7
# From one run of a pipeline to the next, at least.
REST_SECONDS = 3.0
# An idle connection that the server closed: the request was not read, and is sent again.
CLOSED = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


class Client:
    """Posts runs, and keeps count of the answers; `violations` has what no fault excuses."""

    def __init__(self, port, read_token, shadows):
        """`read_token` gives the token of the control that runs now; each start of control makes a new one."""
        self.port = port
        self.read_token = read_token
        self.shadows = shadows
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.violations = []
        self.answered = {}  # run -> pipeline
        self.unknown = collections.Counter()  # by pipeline: posts that may or may not have started a run
        self.stopped = threading.Event()
        self.threads = [
            threading.Thread(target=self.post_fresh, name="client", daemon=True),
            threading.Thread(target=self.post_kept, name="kept client", daemon=True),
        ]

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def post_fresh(self):
        number = 0
        while not self.stopped.wait(FRESH_SECONDS):
            number += 1
            self.post(PULSE if number % PULSE_EVERY == 0 else "nobody")

    def post_kept(self):
        kept = None
        while not self.stopped.wait(KEPT_SECONDS):
            kept = self.post_over(kept)

    def post(self, pipeline):
        """Posts a run over a connection of its own; its number, or None where none was given."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECONDS)
        try:
            return self.exchange(connection, pipeline, is_fresh=True)
        finally:
            connection.close()

    def post_over(self, kept):
        """Posts over the connection that is kept, or a new one; returns the one to keep, None where it ended."""
        connection = kept or http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECONDS)
        try:
            self.exchange(connection, PULSE, is_fresh=kept is None)
        except CLOSED:
            self.count("kept connections closed")
            connection.close()
            self.post(PULSE)
        if connection.sock is None:  # closed by an answer that said so, or by a failure
            return None
        return connection

    def exchange(self, connection, pipeline, is_fresh):
        started = time.time()
        try:
            if is_fresh:
                connection.connect()
        except OSError as error:
            self.fail("refused", pipeline, started, error)
            connection.close()
            return None
        try:
            body = json.dumps({"pipeline": pipeline})
            token = self.read_token()
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
            connection.request("POST", "/v1/runs", body, headers)
            response = connection.getresponse()
        except CLOSED as error:
            if not is_fresh:
                raise
            return self.lose(connection, pipeline, started, error)
        except (OSError, http.client.HTTPException) as error:
            return self.lose(connection, pipeline, started, error)
        try:
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            return self.lose(connection, pipeline, started, error)
        if response.status == 401 and self.read_token() != token:
            # Control was started again between the two: nothing was done for the old token.
            self.count("tokens renewed")
            return self.post(pipeline)
        return self.take(response.status, text, pipeline, started)

    def lose(self, connection, pipeline, started, error):
        connection.close()
        self.fail("lost", pipeline, started, error)
        self.doubt(pipeline)
        return None

    def take(self, status, text, pipeline, started):
        self.count(f"answers {status}")
        if status == 201:
            run = int(json.loads(text)["run"])
            with self.lock:
                if run in self.answered:
                    self.violations.append(f"two posts were answered with run {run}")
                self.answered[run] = pipeline
            return run
        if status >= 500:
            self.doubt(pipeline)
            if not self.shadows.touch(started, time.time(), {RESTART, KILL_CONTROL}):
                self.note(f"a post of {pipeline} was answered {status} without a fault: {text[:300]!r}")
        elif pipeline != "nobody":
            self.note(f"a post of {pipeline} was answered {status}: {text[:300]!r}")
        return None

    def fail(self, what, pipeline, started, error):
        if self.shadows.touch(started, time.time(), {KILL_CONTROL}, after=1.0):
            return self.count(f"{what} while control was killed")
        self.count(what)
        self.note(f"{what}: a post of {pipeline} after {time.time() - started:.3f} s: {error!r}")

    def note(self, text):
        with self.lock:
            self.violations.append(f"{time.strftime('%H:%M:%S')} {text}")

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    def doubt(self, pipeline):
        with self.lock:
            self.unknown[pipeline] += 1


class Feeder:
    """Starts the next run of each of the three pipelines when the last one is over."""

    def __init__(self, postgres, start_run):
        self.postgres = postgres
        self.start_run = start_run
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run, name="feeder", daemon=True)

    def start(self):
        self.thread.start()

    def stop(self):
        self.stopped.set()
        self.thread.join()

    def run(self):
        begun = dict.fromkeys(PIPELINES, 0.0)
        while not self.stopped.wait(FEED_SECONDS):
            for pipeline in PIPELINES:
                if time.monotonic() - begun[pipeline] < REST_SECONDS:
                    continue
                # Looked at anew for each: a post may take long, and what it started must be seen by the next look.
                try:
                    is_idle = not self.postgres.sql(ACTIVE_BATCHES.format(pipeline=pipeline))
                except Unreachable:
                    break
                if is_idle and not self.stopped.is_set():
                    begun[pipeline] = time.monotonic()
                    self.start_run(pipeline)


ACTIVE_BATCHES = """
select run_id from sluice.run
where kind = 'batch' and pipeline = '{pipeline}' and state in ('queued', 'running')
"""
