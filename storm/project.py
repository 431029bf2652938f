"""The definitions that are deployed, the tables they load, and the engines that run them.

Every definition writes its own number into the column `definition` of every row, so that a row shows which one made it.
The history datasets keep each version of each key: their tables have no unique key, so what is loaded twice shows.
"""

import dataclasses
import os
import pathlib
import shutil
import stat

PIPELINES = ("orders", "ledger", "shipments")
# Raw only: a run of it takes milliseconds, so that runs can be posted all the time.
PULSE = "pulse"

PROJECT_FILE = """\
installation: storm
limits: {memory: 512MB, slots: 3}
"""

PULSE_FILE = """\
pipeline: pulse
sources: {storm: {http: {base_url: "${STORM_SOURCE}"}, streams: {pulse: {get: /pulse, records: {format: json}}}}}
"""

ORDERS_FILE = """\
pipeline: orders
on_deploy: handover
sources:
  storm:
    http: {base_url: "${STORM_SOURCE}"}
    streams:
      orders:
        get: /orders
        query: {after: "{cursor}"}
        paginate: {token: $.next, param: page}
        records: {format: json, path: "$.data[*]"}
        cursor: {field: seq, type: bigint, start: "0"}
        columns: {seq: bigint, id: bigint, version: integer, payload: text}
curate:
  order_history: {from: storm.orders, sql: sql/order_history.sql, COLUMNS}
  orders: {from: storm.orders, sql: sql/orders.sql, COLUMNS}
load:
  warehouse:
    postgres: {url: "secret:warehouse"}
    tables:
      mart.order_history: {from: order_history, mode: append}
      mart.orders: {from: orders, mode: merge, key: [id]}
"""

LEDGER_FILE = """\
pipeline: ledger
on_deploy: handover
sources:
  storm:
    http: {base_url: "${STORM_SOURCE}"}
    streams:
      ledger:
        get: /ledger
        records: {format: csv}
        columns: {id: bigint, version: integer, payload: text, as_of: bigint, filler: text}
curate:
  ledger_history: {from: storm.ledger, sql: sql/ledger.sql, COLUMNS}
  ledger: {from: storm.ledger, sql: sql/ledger.sql, COLUMNS}
load:
  warehouse:
    postgres: {url: "secret:warehouse"}
    tables:
      mart.ledger_history: {from: ledger_history, mode: append}
      mart.ledger: {from: ledger, mode: merge, key: [id], deletes: hard}
"""

SHIPMENTS_FILE = """\
pipeline: shipments
on_deploy: finish
sources:
  drops:
    files: {at: "file:${STORM_DROPS}"}
    streams:
      shipments:
        match: "*.ndjson"
        cursor: {field: seq, type: bigint}
        columns: {seq: bigint, id: bigint, version: integer, payload: text}
curate:
  shipment_history: {from: drops.shipments, sql: sql/shipment_history.sql, COLUMNS}
  shipments: {from: drops.shipments, sql: sql/shipments.sql, COLUMNS}
load:
  warehouse:
    postgres: {url: "secret:warehouse"}
    tables:
      mart.shipment_history: {from: shipment_history, mode: append}
      mart.shipments: {from: shipments, mode: merge, key: [id]}
"""

# By pipeline: the table with every version, the one with the newest, and the column that orders them.
TABLES = {
    "orders": ("mart.order_history", "mart.orders", "seq"),
    "ledger": ("mart.ledger_history", "mart.ledger", "as_of"),
    "shipments": ("mart.shipment_history", "mart.shipments", "seq"),
}

# By SQL file: the stream it reads, its ordering column, and what leaves one row a key.
NEWEST = " qualify row_number() over (partition by id order by seq desc) = 1"
SELECTS = {
    "order_history": ("orders", "seq", ""),
    "orders": ("orders", "seq", NEWEST),
    "ledger": ("ledger", "as_of", ""),
    "shipment_history": ("shipments", "seq", ""),
    "shipments": ("shipments", "seq", NEWEST),
}


@dataclasses.dataclass(frozen=True)
class Definition:
    """One version of the project: `number` marks its rows, `edition` its files, `fault` what is wrong with it.

    `fault` is None, `sql` (its SELECTs pass `check` and fail when they run), `contract` (every row breaks it) or
    `check` (refused by it).
    """

    number: int
    edition: int = 0
    has_note: bool = False
    fault: str = None
    # For an engine that does not know `over` and `extra`, and does what they say here.
    is_older: bool = False

    def files(self):
        """By path, the text of each file."""
        columns = "id: {type: bigint, required: true}, version: {type: integer, required: true}, "
        columns += "payload: {type: text, required: true}, definition: {type: integer, required: true}"
        rules = "" if self.is_older else "over: batch, extra: drop, "
        contract = f"{rules}columns: {{ORDER: {{type: bigint, required: true}}, {columns}}}, bad_rows: {{stop_over: 1%}}"
        texts = {"sluice.yaml": PROJECT_FILE, "pipelines/pulse.yaml": PULSE_FILE}
        for name, text in (("orders", ORDERS_FILE), ("ledger", LEDGER_FILE), ("shipments", SHIPMENTS_FILE)):
            text = text.replace("COLUMNS", contract.replace("ORDER", TABLES[name][2]))
            if self.fault == "check":
                text = text.replace("on_deploy:", "on_deplyo:")
            texts[f"pipelines/{name}.yaml"] = f"# Edition {self.edition}.\n{text}"
        for name, (stream, order, newest) in SELECTS.items():
            note = ", 'noted' as note" if self.has_note else ""
            select = f"select {order}, id, version, {self.payload()} as payload, {self.number} as definition{note}"
            texts[f"sql/{name}.sql"] = f"{select}\nfrom {stream}{newest}\n"
        return texts

    def payload(self):
        if self.fault == "sql":
            return "cast(cast(payload || '?' as bigint) as varchar)"
        if self.fault == "contract":
            return "nullif(payload, payload)"
        return "payload"

    def write(self, folder):
        for path, text in self.files().items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        return folder


def create_tables(target):
    """The target's tables as its owner would make them; `note` comes and goes with definitions."""
    for history, newest, order in TABLES.values():
        columns = f"{order} bigint not null, id bigint not null, version integer not null, payload text not null, "
        columns += "definition integer not null, note text"
        target(f"create table {history} ({columns}, _sluice_batch uuid not null)")
        target(f"create table {newest} ({columns}, primary key (id))")


class Engines:
    """The engine under storm under several hashes, an older one, and two that cannot start."""

    COPIES = 3

    def __init__(self, folder, engine, older=None):
        self.own = [self.copy(folder / f"engine-{number}", engine, number) for number in range(self.COPIES)]
        self.older = self.copy(folder / "engine-older", older, 0) if older else None
        self.crashing = [
            self.script(folder / "engine-exits", "echo 'this engine does not start' >&2; exit 1"),
            self.script(folder / "engine-crashes", "kill -SEGV $$"),
        ]

    def copy(self, folder, engine, number):
        """The engine with a mark after its end, which no loader reads: another hash, the same behaviour."""
        folder.mkdir(parents=True)
        path = folder / "sluice"
        shutil.copyfile(engine, path)
        with open(path, "ab") as file:
            file.write(b"storm %d" % number)
        return self.executable(path)

    def script(self, folder, text):
        folder.mkdir(parents=True)
        (folder / "sluice").write_text(f"#!/bin/sh\n{text}\n")
        return self.executable(folder / "sluice")

    def executable(self, path):
        path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        return path


def find_duckdb(engine):
    """The SQL engine that the copies of the engine use too: they do not stand where `.tools` can be found."""
    if named := os.environ.get("SLUICE_DUCKDB"):
        return named
    above = pathlib.Path(engine).resolve().parents
    found = [folder / ".tools/duckdb/duckdb" for folder in above[2:5]]
    found.append(pathlib.Path(__file__).resolve().parents[1] / ".tools/duckdb/duckdb")
    found.append(pathlib.Path(shutil.which("duckdb") or "/"))
    if program := next((path for path in found if path.is_file()), None):
        return str(program)
    raise SystemExit("storm: duckdb was not found; run: make setup, or set SLUICE_DUCKDB")
