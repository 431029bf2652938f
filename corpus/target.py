"""What is in PostgreSQL, in the quarantine and in the catalog, against what must be there."""

import collections
import json
import math
import struct
import subprocess

import reading
from records import MISSING

SECONDS = 300


def stored(column):
    """The SQL that reads a column so that nothing of it is lost on the way."""
    name = column.name
    match column.type:
        case "double":
            return f"float8send({name})"
        case "real":
            return f"float4send({name})"
        case "time":
            return f"(extract(epoch from {name}) * 1000000)::bigint"
        case "timestamp":
            return f"to_char({name}, 'YYYY-MM-DD HH24:MI:SS.US')"
        case "timestamptz":
            return f"to_char({name} at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"
        case "date" | "decimal" | "uuid" | "json":
            return f"{name}::text"
    return name


def as_stored(column, value):
    """A value that `reading` gave in the form in which `stored` reads it."""
    if value is None:
        return None
    if column.type == "decimal":
        number, scale = value
        whole = str(abs(number)).rjust(scale + 1, "0")
        digits = f"{whole[:-scale]}.{whole[-scale:]}" if scale else whole
        return ("-" if number < 0 else "") + digits
    if column.type in ("timestamp", "timestamptz"):
        return f"{value.year:04}-{value:%m-%d %H:%M:%S.%f}"
    return value


def as_read(column, value):
    if value is None:
        return None
    if column.type in ("double", "real"):
        number = struct.unpack(">d" if column.type == "double" else ">f", value)[0]
        return reading.NAN if math.isnan(number) else value
    if column.type == "json":
        return reading.Document(json.loads(value, parse_float=reading.number, parse_int=reading.number))
    return value


class Faults:
    """What does not fit; the first of each kind are told in full."""

    def __init__(self):
        self.all = []

    def add(self, text):
        self.all.append(text)
        if len(self.all) <= 20:
            print(f"  DIFFERENT {text}"[:3_000], flush=True)


def compare_table(connection, stream, faults):
    """Every row and every value of a table; the number of values."""
    expected = stream.rows()
    if stream.columns[0].name != "rid":
        wanted = collections.Counter(row["v"] for row in expected.values())
        values = collections.Counter(value for (value,) in connection.execute(f"select v from {stream.table}"))
        for value in (wanted - values) | (values - wanted):
            faults.add(f"{stream.name}: {values[value]} times in the table, expected {wanted[value]} times: {value!r}")
        return values.total()
    columns = ", ".join(stored(column) for column in stream.columns)
    found = set()
    for row in connection.execute(f"select {columns} from {stream.table}"):
        rid = row[0]
        if rid not in expected or rid in found:
            faults.add(
                f"{stream.name}: row {rid} is in the table {'twice' if rid in found else 'and must not be'}: {row!r}"
            )
            continue
        found.add(rid)
        for column, value in zip(stream.columns, row):
            wanted, value = as_stored(column, expected[rid][column.name]), as_read(column, value)
            if wanted != value or type(wanted) is not type(value):
                faults.add(
                    f"{stream.name}: {rid}.{column.name} ({column.definition()}) is {value!r}, expected {wanted!r}"
                    f" of {stream.written(rid, column.name)!r}"
                )
    for rid in sorted(expected.keys() - found):
        faults.add(f"{stream.name}: row {rid} is missing: {stream.texts_of(rid)!r}")
    return len(found) * len(stream.columns)


def quarantine_rows(duckdb, path):
    """The rows of a quarantine file. Texts travel as hexadecimal digits: no program on the way changes those."""
    texts = ["stream", "array_to_string(reasons, chr(10))", "record", "key"]
    select = ", ".join(
        ["object", "position", "line", "byte"]
        + [f"hex(encode({text})) as t{place}" for place, text in enumerate(texts)]
    )
    command = [duckdb, "-json", "-c", f"select {select} from read_parquet('{path}')"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
    rows = json.loads(done.stdout or "[]")

    def decoded(text):
        return None if text is None else bytes.fromhex(text).decode()

    for row in rows:
        row["stream"], row["reasons"], row["record"], row["key"] = (decoded(row.pop(f"t{place}")) for place in range(4))
    return rows


def compare_quarantine(rows, names, stream, faults):
    """Every row of the quarantine of one run, with its reasons, place and texts."""
    wanted = collections.Counter()
    for name, records in stream.bad.items():
        for record in records:
            wanted[expected_bad(stream, name, record)] += 1
    found = collections.Counter(found_bad(stream, names, row) for row in rows)
    # Of files whose lines are not counted alike everywhere, only the number of such records is known.
    lineless = {bad[:3] for bad in wanted if bad[0] == "record" and bad[3] is None}
    for bad in [bad for bad in found if bad[:3] in lineless]:
        found[(*bad[:3], None, None)] += found.pop(bad)
    for bad in (found - wanted).keys():
        faults.add(f"{stream.name}: in quarantine and must not be: {bad!r}")
    for bad in (wanted - found).keys():
        faults.add(f"{stream.name}: not in quarantine: {bad!r}")
    return sum(found.values())


def expected_bad(stream, name, record):
    if record.broken:
        return ("record", name, record.reasons[0], record.line, record.byte if record.line else None)
    reasons = tuple(sorted(record.reasons))
    if "rid" not in record.texts:
        return ("row", "no number", reasons, shown(stream, record.texts))
    if stream.typing == "stream" and reasons[0].endswith(":type"):
        return ("row", f"R{record.number}", reasons, None)
    return ("row", f"R{record.number}", reasons, None if stream.typing == "stream" else shown(stream, record.texts))


def found_bad(stream, names, row):
    reasons = row["reasons"].split("\n")
    if reasons[0].startswith("record:"):
        return ("record", names.get(row["object"]), reasons[0], row["line"], row["byte"])
    record = json.loads(row["record"])
    texts = None if stream.typing == "stream" else shown(stream, record)
    return ("row", record.get("rid", "no number"), tuple(sorted(reasons)), texts)


def shown(stream, texts):
    """The texts of a record; JSON as the document that it is, because its white space is not kept everywhere."""
    result = []
    for column in stream.columns:
        text = texts.get(column.name)
        if text is not None and text is not MISSING and column.type == "json":
            value = reading.read_json(text)
            text = text if value is None else repr(value)
        result.append((column.name, None if text is MISSING else text))
    return tuple(result)


def compare_counts(catalog, run, stream, faults):
    entries = [entry for entry in catalog if entry["dataset"] == stream.name and entry["run"] == run]
    if len(entries) != 1:
        return faults.add(f"{stream.name}: {len(entries)} snapshots of run {run}")
    found = {name: entries[0][name] for name in stream.counts}
    if found != stream.counts:
        faults.add(f"{stream.name}: the catalog has {found}, expected {stream.counts}")
