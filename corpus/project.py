"""The project that takes the corpus in: one pipeline a round, one run a delivery."""

import json
import os
import random
import shutil
import subprocess

import psycopg

import target
from csv_files import CSV
from json_files import JSONDocument, JSONLines
from lines import Lines
from stream import Stream

SECONDS = 300
FORMS = [CSV, CSV, JSONLines, JSONDocument]
SHAPES = ["append", "per_chunk", "merge", "merge", "replace"]
RECORDS = 400


class Project:
    def __init__(self, options, work):
        self.options, self.work = options, work
        self.environment = os.environ | {
            "SLUICE_DATABASE_URL": options.control,
            "SLUICE_SECRET_TARGET": options.target,
            "SLUICE_DUCKDB": str(options.duckdb),
        }
        self.environment.pop("SLUICE_ENV", None)
        self.runs = self.records = self.values = self.quarantined = 0
        self.quarantines = set()
        for folder in ("pipelines", "sql", "inbox"):
            (work / folder).mkdir(parents=True, exist_ok=True)

    def round(self, seed, faults):
        rng = random.Random(f"round {seed}")
        name = f"r{seed}"
        streams = [self.stream(rng, seed, f"{name}_{place}") for place in range(rng.choice([3, 4, 5]))]
        self.write(name, streams)
        with psycopg.connect(self.options.target, autocommit=True) as connection:
            for _ in range(rng.choice([2, 3, 4])):
                for stream in streams:
                    self.deliver(stream, rng)
                answer = self.sluice("run", name, "--wait")
                self.runs += 1
                if answer.get("state") != "succeeded" or any(load["state"] != "succeeded" for load in answer["loads"]):
                    faults.add(f"{name}: the run did not succeed: {json.dumps(answer)}")
                    break
                self.compare(name, answer["run"], streams, connection, faults)
                if faults.all:
                    break
            if not faults.all:
                self.forget(name, streams, connection)

    def stream(self, rng, seed, name):
        form = rng.choice(FORMS).drawn(rng)
        if form.suffix == "csv" and rng.random() < 0.1:
            return Lines(seed, name, form)
        typing = rng.choice(["contract", "contract", "contract", "stream", "none"])
        if form.suffix == "csv" and typing == "stream":
            form.header, form.named, form.typed = True, False, True
        return Stream(seed, name, rng.choice(SHAPES), form, typing)

    def write(self, name, streams):
        for stream in streams:
            (self.work / "inbox" / stream.name).mkdir()
            if stream.has_sql:
                (self.work / "sql" / f"{stream.name}.sql").write_text(stream.sql())
        (self.work / "pipelines" / f"{name}.yaml").write_text(
            f'pipeline: {name}\nsources:\n  s:\n    files: {{at: "file:inbox"}}\n    streams:\n'
            + "".join(stream.stream_definition() for stream in streams)
            + "curate:\n"
            + "".join(stream.dataset_definition() for stream in streams)
            + 'load:\n  target:\n    postgres: {url: "secret:target"}\n    tables:\n'
            + "".join(stream.load_definition() for stream in streams)
        )

    def deliver(self, stream, rng):
        count = RECORDS if rng.random() < 0.9 else 5 * RECORDS
        for name, data in stream.deliver(count).items():
            (self.work / "inbox" / stream.name / name).write_bytes(data)
        present = {name for name, _ in stream.files}
        for path in (self.work / "inbox" / stream.name).iterdir():
            # What a full read no longer has; files of other streams are read once.
            if stream.shape == "replace" and path.name not in present:
                path.unlink()

    def compare(self, name, run, streams, connection, faults):
        catalog = self.sluice("catalog")["catalog"]
        with psycopg.connect(self.options.control) as control:
            objects = control.execute(
                "select object_id, request from sluice.raw_object where pipeline = %s", [name]
            ).fetchall()
        names = {object_id: request.rpartition("/")[2] for object_id, request in objects}
        for stream in streams:
            self.values += target.compare_table(connection, stream, faults)
            self.records += stream.counts["rows_in"]
            target.compare_counts(catalog, run, stream, faults)
            rows = []
            folder = self.work / ".sluice" / "storage" / "curated" / name / stream.name
            for path in sorted(folder.glob("*/quarantine.parquet")):
                if path not in self.quarantines:
                    self.quarantines.add(path)
                    rows += target.quarantine_rows(self.options.duckdb, path)
            self.quarantined += target.compare_quarantine(rows, names, stream, faults)

    def sluice(self, *verb):
        """A verb's answer, also of one that failed."""
        done = subprocess.run(
            [self.options.engine, *verb, "--json"], env=self.environment, cwd=self.work, timeout=SECONDS,
            stdin=subprocess.DEVNULL,
            capture_output=True, text=True,
        )  # fmt: skip
        for line in reversed(done.stdout.splitlines()):
            if line.startswith("{"):
                return json.loads(line)
        return {"state": "no answer", "exit": done.returncode, "errors": done.stderr[-2_000:]}

    def forget(self, name, streams, connection):
        """The files and tables of a round that held: a corpus of hours stays small."""
        for stream in streams:
            connection.execute(f"drop table if exists {stream.table}")
            shutil.rmtree(self.work / "inbox" / stream.name)
        for place in ("raw", "curated"):
            shutil.rmtree(self.work / ".sluice" / "storage" / place / name, ignore_errors=True)
        (self.work / "pipelines" / f"{name}.yaml").unlink()
