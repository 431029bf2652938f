"""One stream with its dataset and table: its definition, the records of each delivery, and what must come of them."""

import gzip
import json
import random

import reading
import texts
from columns import PATTERNS, Column, drawn
from records import EXACT_TEXT, MISSING, Record

CURSORS = ["bigint", "integer", "decimal", "timestamptz", "timestamp", "date", "text", "uuid"]
LONGEST_CURSOR = 1024
TYPES = ["text", "bigint", "integer", "smallint", "double", "real", "boolean", "date", "time", "timestamp",
         "timestamptz", "uuid", "json",
         "bytea", "decimal", "decimal", "double", "real", "timestamptz", "json", "text"]  # fmt: skip


class Stream:
    """`shape`: append, per_chunk, replace or merge. `typing`: contract, stream (types of the stream's own) or none."""

    def __init__(self, seed, name, shape, form, typing):
        self.rng = random.Random(f"{seed} {name}")
        self.name, self.shape, self.form, self.typing = name, shape, form, typing
        self.has_sql = typing == "contract" and self.rng.random() < 0.4
        self.columns = self.drawn_columns()
        self.layout = self.drawn_layout()
        self.kept = {}
        self.number = 0
        self.order = 0
        self.files = []
        # What the catalog's newest snapshot must say.
        self.counts = {}

    # What it is

    def drawn_columns(self):
        rng = self.rng
        columns = [Column("rid", "text", required=self.typing == "contract")]
        if self.shape == "merge":
            self.cursor_type = rng.choice(CURSORS)
            scale = {"precision": 18, "scale": 4} if self.cursor_type == "decimal" else {}
            key = rng.choice(["bigint", "text", "uuid", "date"]) if self.typing != "none" else "text"
            columns.append(Column("k", key))
            columns.append(Column("u", self.cursor_type if self.typing != "none" else "text", **scale))
            self.cursor_kind = Column("u", self.cursor_type, **scale)
        wanted = rng.sample(TYPES, rng.randrange(6, len(TYPES))) if self.typing != "none" else ["text"] * 4
        for place, kind in enumerate(wanted):
            columns.append(drawn(rng, f"c{place}", kind, self.typing == "contract"))
        if self.has_sql:
            columns.append(Column("kind", "text"))
        return columns

    def drawn_layout(self):
        """How the data files are written: what is in them must not depend on it."""
        rng, parts = self.rng, []
        if self.typing == "contract" and rng.random() < 0.4:
            times = [column.name for column in self.columns if column.type in ("date", "timestamp", "timestamptz")]
            values = [column.name for column in self.columns if column.type == "boolean" or column.name == "kind"]
            units = [f"{unit}: {name}" for name in times for unit in ("year", "month")] + [
                f"value: {name}" for name in values
            ]
            parts += [f"partition_by: {{{rng.choice(units)}}}"] if units else []
        if rng.random() < 0.3:
            native = rng.sample(["uuid: native", "time: native", "json: native"], rng.choice([1, 3]))
            parts.append("parquet: {" + ", ".join(native) + "}")
        if rng.random() < 0.2:
            parts.append("files: {sort: [" + rng.choice(self.columns).name + "]}")
        return parts

    @property
    def table(self):
        return f"public.{self.name}"

    def stream_definition(self):
        parts = [f'match: "{self.name}/*"', f"records: {self.form.definition(self.columns)}"]
        if self.shape == "replace":
            parts.append("read: full")
        if self.shape == "merge":
            kind = self.cursor_kind.written_type
            parts += ["key: [k]", f"cursor: {{field: u, type: {json.dumps(kind)}}}"]
        if self.typing == "stream":
            types = ", ".join(f"{column.name}: {json.dumps(column.written_type)}" for column in self.columns)
            parts.append(f"columns: {{{types}}}")
        elif self.form.named:
            parts.append("columns: [" + ", ".join(column.name for column in self.columns) + "]")
        return f"      {self.name}: {{{', '.join(parts)}}}\n"

    def dataset_definition(self):
        parts = [f"from: s.{self.name}"]
        if self.has_sql:
            parts.append(f"sql: sql/{self.name}.sql")
        if self.typing == "contract":
            columns = ", ".join(f"{column.name}: {column.definition()}" for column in self.columns)
            parts.append(f"columns: {{{columns}}}")
        return f"  {self.name}: {{{', '.join(parts + self.layout)}}}\n"

    def load_definition(self):
        mode = {
            "append": "append",
            "per_chunk": "append, apply: per_chunk",
            "replace": "replace",
            "merge": "merge, key: [k]",
        }[self.shape]
        return f"        {self.table}: {{from: {self.name}, mode: {mode}}}\n"

    def sql(self):
        names = ", ".join(column.name for column in self.columns)
        return f"select {names} from {self.name} where kind is distinct from 'skip'\n"

    # What it delivers

    def deliver(self, count):
        """The files of the next run, {name: bytes}. What must come of them is then in `kept`, `bad` and `counts`."""
        self.bad = {}
        if self.shape == "replace":
            # Everything is read again, and the file of the last run has other content.
            self.kept, self.files = {}, self.files[:-1]
        new = {}
        for _ in range(self.rng.choice([1, 1, 1, 2, 3])):
            records = [self.record() for _ in range(self.rng.randrange(1, count))]
            self.end_openly(records)
            data = self.form.write(self.rng, self.columns, records)
            self.number += 1
            name = f"{self.number:06}.{self.form.suffix}"
            if self.rng.random() < 0.15:
                name, data = name + ".gz", gzip.compress(data, 1, mtime=0)
                for record in records:
                    record.byte = None
            new[name] = data
            self.files.append((name, records))
        delivered = self.files if self.shape == "replace" else self.files[-len(new) :]
        self.count_up(delivered)
        return new

    def record(self):
        rng = self.rng
        self.order += 1
        record = Record(self.order, {})
        # The first record has every field, so that none of them is unknown to the contract.
        if self.order > 1 and rng.random() < 0.04:
            record.broken = rng.choice(self.form.broken_kinds())
            record.reasons = [f"record:{record.broken}"]
            return record
        is_bad = rng.random() < 0.2
        bad_columns = (
            rng.sample(self.columns[1:], min(len(self.columns) - 1, rng.choice([1, 1, 2, 5]))) if is_bad else []
        )
        for column in self.columns:
            for _ in range(20):
                text = self.text(column)
                if column in bad_columns or text is MISSING or not self.reasons(column, text):
                    break
            else:
                text = None
            record.texts[column.name] = text
        for column in self.columns:
            record.reasons += self.reasons(column, record.texts[column.name])
        types = [reason for reason in record.reasons if reason.endswith(":type")]
        if self.typing == "stream" and types:
            # It is none of the stream's records, and no dataset sees it.
            record.reasons = types
        return record

    def text(self, column):
        rng = self.rng
        if column.name == "rid":
            return f"R{self.order}"
        if column.name == "kind":
            return rng.choice(["skip", "keep", "", None])
        if column.name == "k":
            return self.key(column)
        if column.name == "u":
            return self.cursor_text()
        if rng.random() < 0.1:
            return None if self.form.suffix == "csv" or self.order == 1 or rng.random() < 0.6 else MISSING
        if column.type in ("text", "bytea"):
            if rng.random() < 0.01:
                return rng.choice(["x", "é", " \n"]) * rng.choice(
                    [1_000, 3_000] + ([] if self.form.maximum else [15_000, 300_000])
                )
            if rng.random() < 0.03 and self.form.encodable(EXACT_TEXT):
                return EXACT_TEXT
        return texts.of(column, rng, self.form.encodable)

    def cursor_text(self):
        """A value of the cursor, none, or a text that is no value of it.

        What orders versions (CursorOrder, TextCursor, CursorValue) reads values by rules of its own. Left out is what
        docs/types.md reads in another way: spaces around a value, capitals of a uuid, and a text that is out of the
        type's range or has more digits than the type.
        """
        rng, kind = self.rng, self.cursor_kind
        if rng.random() < 0.1:
            return rng.choice([None, None, "", "soon"]) if kind.type not in ("text", "uuid") else None
        while True:
            text = texts.of(kind, rng, self.form.encodable)
            value = reading.read(kind, text)
            if kind.type == "uuid" and value:
                return value
            if value not in (None, "") and (kind.type == "text" or text == text.strip(" ")):
                return text

    def key(self, column):
        rng, number = self.rng, self.rng.randrange(60)
        if rng.random() < 0.02:
            return None
        if column.type == "bigint":
            return rng.choice([f"{number}", f"{number}", f"+{number}", f"00{number}", f" {number} "])
        if column.type == "uuid":
            text = f"{number:032x}"
            return rng.choice([text, text.upper(), f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"])
        if column.type == "date":
            return f"2024-{number % 12 + 1:02}-{number % 5 + 1:02}" + rng.choice(["", "", " 00:00:00", "T00:00Z"])
        return (
            rng.choice(["a", "A", " a", "a ", "", "ä", "A\u0308"])[: None if self.form.encodable("\u0308") else 1]
            + f"{number // 6}"
            if (self.form.encodable("ä"))
            else f"{number}"
        )

    def end_openly(self, records):
        """A quote that is left open takes its line: only at the end of a file is that line known."""
        if self.form.suffix == "csv" and records and self.rng.random() < 0.1:
            records[-1].broken, records[-1].reasons = "quote", ["record:quote"]

    # What must come of it

    def reasons(self, column, text):
        """The reasons for which a text of a column is in quarantine."""
        if text is None or text is MISSING:
            needed = column.required
            return [f"{column.name}:required"] if needed else [f"{column.name}:key"] if column.name == "k" else []
        value = reading.read(column, text)
        if value is None:
            return [f"{column.name}:type"]
        reasons = []
        if column.least is not None and value < reading.read(column, column.least):
            reasons.append("min")
        if column.greatest is not None and value > reading.read(column, column.greatest):
            reasons.append("max")
        if column.one_of and value not in [reading.read(column, one) for one in column.one_of]:
            reasons.append("one_of")
        if column.pattern and not reading.re.fullmatch(PATTERNS[column.pattern], text):
            reasons.append("pattern")
        if isinstance(value, reading.NotStorable):
            reasons += value.reasons
        elif column.type == "text" and "\0" in text:
            reasons.append("nul_character")
        return [f"{column.name}:{reason}" for reason in reasons]

    def cursor(self, record):
        """Orders the versions of a key: what is none of the type is older than all others."""
        text = record.texts["u"]
        value = None if text in (None, MISSING) else reading.read(self.cursor_kind, text)
        if isinstance(value, str):
            value = value.encode() if len(value.encode()) <= LONGEST_CURSOR else None
        return (0,) if value is None else (1, value)

    def values(self, record):
        """The row of the table: values by column, None for null."""
        row = {}
        for column in self.columns:
            text = record.texts[column.name]
            row[column.name] = None if text in (None, MISSING) else reading.read(column, text)
        return row

    def count_up(self, delivered):
        counts = dict.fromkeys(["rows_in", "rows_out", "filtered", "deduplicated", "quarantined"], 0)
        newest = {}
        for name, records in delivered:
            for record in records:
                counts["rows_in"] += 1
                if self.has_sql and not record.broken and record.texts["kind"] == "skip":
                    counts["filtered"] += 1
                elif record.reasons:
                    counts["quarantined"] += 1
                    self.bad.setdefault(name, []).append(record)
                elif self.shape == "merge":
                    key = self.values(record)["k"]
                    order = (self.cursor(record), record.number)
                    counts["deduplicated"] += key in newest
                    if key not in newest or newest[key][0] < order:
                        newest[key] = (order, record)
                else:
                    self.kept[record.number] = self.values(record)
        for key, (order, record) in newest.items():
            if key not in self.kept or self.kept[key][0] < order:
                self.kept[key] = (order, self.values(record))
        counts["rows_out"] = counts["rows_in"] - counts["filtered"] - counts["quarantined"] - counts["deduplicated"]
        self.counts = counts

    def texts_of(self, rid):
        """What a record was, for a message."""
        return next(
            (record.texts for _, records in self.files for record in records if f"R{record.number}" == rid), None
        )

    def written(self, rid, column):
        return (self.texts_of(rid) or {}).get(column)

    def rows(self):
        """The rows that the table must have, by their number."""
        rows = [row for _, row in self.kept.values()] if self.shape == "merge" else self.kept.values()
        return {row["rid"]: row for row in rows}
