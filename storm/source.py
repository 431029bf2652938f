"""A source that never ends: orders, a ledger and shipments that grow and change for as long as the storm lasts.

Each row carries its key, its version and a payload that only seed, stream, key and version decide, so that whoever
knows those four knows the row. All that was made is written to a journal, a line for each event, before it is served:

    orders    SEQ KEY VERSION
    ledger    SEQ KEY VERSION          version 0: the row is gone, for good
    shipments SEQ KEY VERSION

SEQ counts the events of its stream from 1. `read_journal` gives them back to the checker.
"""

import hashlib
import json
import random
import threading

TICK_SECONDS = 0.25
ORDERS_PER_TICK = 40
LEDGER_FIRST_ROWS = 1_500
LEDGER_PER_TICK = 3
SHIPMENTS_PER_FILE = 12
TICKS_PER_FILE = 3
STREAMS = ("orders", "ledger", "shipments")


def payload(seed, stream, key, version):
    return hashlib.sha256(f"{seed}:{stream}:{key}:{version}".encode()).hexdigest()[:16]


class Stream:
    """One stream's events, oldest first, and the newest version of each key."""

    def __init__(self, name, seed, journal):
        self.name = name
        self.seed = seed
        self.journal = journal
        self.random = random.Random(f"{seed}:{name}")
        self.events = []  # (key, version): the event with number SEQ stands at SEQ - 1
        self.latest = {}  # key -> version, without rows that are gone
        self.keys = 0

    def append(self, key, version):
        self.events.append((key, version))
        if version:
            self.latest[key] = version
        else:
            del self.latest[key]
        self.journal.write(f"{self.name} {len(self.events)} {key} {version}\n")

    def add(self):
        self.keys += 1
        self.append(self.keys, 1)

    def change(self):
        """A row made in the past, with a new version; the newer rows are changed more often."""
        key = self.keys - int(self.random.expovariate(1 / 400)) if self.keys else 0
        if key in self.latest:
            self.append(key, self.latest[key] + 1)

    def remove(self):
        key = self.random.randrange(1, self.keys + 1)
        if key in self.latest:
            self.append(key, 0)

    def grow(self, count, changed, removed=0.0):
        for _ in range(count):
            draw = self.random.random()
            if draw < removed:
                self.remove()
            elif draw < removed + changed:
                self.change()
            else:
                self.add()

    def row(self, key, version):
        return {"id": key, "version": version, "payload": payload(self.seed, self.name, key, version)}


class Source:
    """The three streams, which grow in a thread of their own from `start` to `stop`."""

    def __init__(self, seed, journal, drops):
        self.seed = seed
        self.journal = open(journal, "w", buffering=1 << 16)
        self.drops = drops
        self.lock = threading.Lock()
        self.orders, self.ledger, self.shipments = (Stream(name, seed, self.journal) for name in STREAMS)
        self.files = 0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run, name="source", daemon=True)
        drops.mkdir(parents=True)
        with self.lock:
            self.ledger.grow(LEDGER_FIRST_ROWS, changed=0)
            self.journal.flush()

    def start(self):
        self.thread.start()

    def stop(self):
        """Nothing is made after this returns."""
        self.stopped.set()
        self.thread.join()

    def run(self):
        tick = 0
        while not self.stopped.wait(TICK_SECONDS):
            tick += 1
            with self.lock:
                self.orders.grow(ORDERS_PER_TICK, changed=0.25)
                self.ledger.grow(LEDGER_PER_TICK, changed=0.4, removed=0.1)
                dropped = self.next_file() if tick % TICKS_PER_FILE == 0 else None
                self.journal.flush()
            if dropped:
                self.drop(dropped)

    def next_file(self):
        first = len(self.shipments.events)
        self.shipments.grow(SHIPMENTS_PER_FILE, changed=0.2)
        return [
            {"seq": first + index + 1, **self.shipments.row(key, version)}
            for index, (key, version) in enumerate(self.shipments.events[first:])
        ]

    def drop(self, rows):
        """A file appears whole: it is written under another name first."""
        self.files += 1
        path = self.drops / f"{self.files:06d}.ndjson"
        partial = path.with_suffix(".partial")
        partial.write_text("".join(json.dumps(row) + "\n" for row in rows))
        partial.rename(path)

    def order_count(self):
        with self.lock:
            return len(self.orders.events)

    def orders_between(self, after, upto):
        """The orders' events with numbers from after + 1 to `upto`, as rows."""
        with self.lock:
            found = self.orders.events[after:upto]
        return [{"seq": after + 1 + index, **self.orders.row(*event)} for index, event in enumerate(found)]

    def ledger_now(self):
        """(number of the last event, rows) of the ledger as it stands."""
        with self.lock:
            as_of = len(self.ledger.events)
            rows = sorted(self.ledger.latest.items())
        return as_of, [self.ledger.row(key, version) for key, version in rows]


def read_journal(path):
    """By stream, its events (key, version) in order."""
    events = {name: [] for name in STREAMS}
    for line in path.read_text().splitlines():
        name, seq, key, version = line.split()
        events[name].append((int(key), int(version)))
        assert len(events[name]) == int(seq), f"the journal of {name} leaves out an event before {seq}"
    return events
