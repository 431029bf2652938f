"""Holds what the target has against what the source made. It knows nothing of Sluice but the names of the tables.

    python3 storm/checker.py --seed N --journal FILE --target URL

lost      a version that was made and is not there, or a row that is not the newest of its key
repeated  a version that is there more than once
changed   a row whose values are not those that the source made, or that it never made
"""

import argparse
import collections
import csv
import io
import pathlib
import subprocess

from project import TABLES
from source import payload, read_journal

EXAMPLES = 5


class Findings:
    """How many of each sort, and a few examples of each by table."""

    def __init__(self):
        self.counts = collections.Counter()
        self.found = collections.defaultdict(list)

    def add(self, sort, table, items):
        items = list(items)
        if items:
            self.counts[sort] += len(items)
            self.found[table, sort] += items

    @property
    def examples(self):
        return [
            f"{table}: {len(items)} {sort}, such as {'; '.join(map(str, items[:EXAMPLES]))}"
            for (table, sort), items in self.found.items()
        ]


def table_rows(url, table, columns):
    """The table's rows as dictionaries of texts."""
    names = ", ".join(columns)
    copy = f"copy (select {names} from {table} order by {names}) to stdout with (format csv)"
    done = subprocess.run(["psql", "-X", "-q", url, "-c", copy], check=True, capture_output=True, text=True)
    return [dict(zip(columns, row)) for row in csv.reader(io.StringIO(done.stdout))]


class Checker:
    """Compares each pipeline's two tables with its events; `batches` are the rows of each history by batch."""

    def __init__(self, seed, events, url):
        self.seed = seed
        self.events = events
        self.url = url
        self.findings = Findings()
        self.batches = {}  # pipeline -> batch -> its rows
        self.newest = {}  # pipeline -> rows

    def check(self):
        for pipeline, (history, newest, order) in TABLES.items():
            columns = ["id", "version", "payload", "definition", order]
            rows = table_rows(self.url, history, [*columns, "_sluice_batch"])
            self.batches[pipeline] = collections.defaultdict(list)
            for row in rows:
                self.batches[pipeline][row["_sluice_batch"]].append(row)
            self.newest[pipeline] = table_rows(self.url, newest, columns)
            if order == "seq":
                self.check_events(pipeline, history, rows)
            else:
                self.check_states(pipeline, history)
            self.check_newest(pipeline, newest)
        return self.findings

    def is_made(self, pipeline, row):
        return row["payload"] == payload(self.seed, pipeline, row["id"], row["version"])

    def check_events(self, pipeline, table, rows):
        """Each event stands in the history exactly once, over all batches."""
        made = {str(seq): (str(key), str(version)) for seq, (key, version) in enumerate(self.events[pipeline], 1)}
        seen = collections.Counter(row["seq"] for row in rows)
        self.findings.add("lost", table, (seq for seq in made if seq not in seen))
        self.findings.add("repeated", table, (seq for seq, count in seen.items() for _ in range(count - 1)))
        for row in rows:
            if made.get(row["seq"]) != (row["id"], row["version"]) or not self.is_made(pipeline, row):
                self.findings.add("changed", table, [row])

    def check_states(self, pipeline, table):
        """Each batch is the whole state as of one event, each of its keys once."""
        moments = collections.defaultdict(list)
        for batch, rows in self.batches[pipeline].items():
            as_of = {row["as_of"] for row in rows}
            if len(as_of) == 1 and int(min(as_of)) <= len(self.events[pipeline]):
                moments[int(min(as_of))].append(batch)
            else:
                self.findings.add("changed", table, [f"batch {batch} is of the moments {sorted(as_of)}"])
        state = {}
        for seq, (key, version) in enumerate([(None, None), *self.events[pipeline]]):
            move(state, key, version)
            for batch in moments.get(seq, ()):
                self.check_state(pipeline, f"{table} batch {batch}", state, self.batches[pipeline][batch])

    def check_newest(self, pipeline, table):
        """The table of the newest rows is the state after the last event."""
        state = {}
        for key, version in self.events[pipeline]:
            move(state, key, version)
        self.check_state(pipeline, table, state, self.newest[pipeline])

    def check_state(self, pipeline, table, state, rows):
        seen = collections.Counter(row["id"] for row in rows)
        self.findings.add("lost", table, (key for key in state if key not in seen))
        self.findings.add("repeated", table, (key for key, count in seen.items() for _ in range(count - 1)))
        for row in rows:
            wanted = state.get(row["id"])
            if wanted and int(row["version"]) < int(wanted):
                self.findings.add("lost", table, [f"{row} is behind version {wanted}"])
            elif wanted != row["version"] or not self.is_made(pipeline, row):
                self.findings.add("changed", table, [row])


def move(state, key, version):
    """One event on: the newest version of the key, as texts; version 0 takes the key out."""
    if version == 0:
        del state[str(key)]
    elif version:
        state[str(key)] = str(version)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, required=True, help="of the source, as plan.json has it")
    parser.add_argument("--journal", type=pathlib.Path, required=True)
    parser.add_argument("--target", required=True)
    options = parser.parse_args()
    findings = Checker(options.seed, read_journal(options.journal), options.target).check()
    print("\n".join(findings.examples))
    print(" ".join(f"{sort}={findings.counts[sort]}" for sort in ("lost", "repeated", "changed")))
    raise SystemExit(1 if findings.counts else 0)


if __name__ == "__main__":
    main()
