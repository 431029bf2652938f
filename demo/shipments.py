"""The partner of the demo: shipments as NDJSON, dropped into a folder."""

import gzip
import json

from dataset import DAY, YEAR_2024, Dataset, copy_field, day, instant

CARRIERS = ["north", "south", "lake"]
SUMMER = YEAR_2024 + 153 * DAY  # 2024-06-02: Zurich is two hours ahead of UTC all summer
ZURICH_SUMMER = 7_200


def write_shipments(directory, count, rng):
    """Writes a file a day, the second gzipped; times are Zurich's, without an offset."""
    directory.mkdir(parents=True)
    result = Dataset()
    lines = []
    sent = []
    for number in range(count):
        lines.append(shipment(number, sent, result, rng))
    third = -(-count // 3)
    for index in range(3):
        text = b"".join(lines[index * third : (index + 1) * third])
        path = directory / f"{day(SUMMER + index * DAY)}.ndjson"
        if index == 1:
            path.with_suffix(".ndjson.gz").write_bytes(gzip.compress(text, compresslevel=6, mtime=0))
        else:
            path.write_bytes(text)
    return result


def shipment(number, sent, result, rng):
    draw = rng.random()
    if draw < 0.03 and sent:
        result.stale("repeated row")
        return sent[rng.randrange(len(sent))]
    key = f"S-{number:07d}"
    grams = rng.randrange(50, 30_000)
    shipped = SUMMER + number * 11 % (60 * DAY)
    values = {
        "shipment_id": key,
        "order_id": 1_000_000 + rng.randrange(400_000),
        "carrier": CARRIERS[rng.randrange(3)] if rng.random() > 0.05 else None,
        "weight_kg": f"{grams // 1000}.{grams % 1000:03d}",
        "shipped_at": instant(shipped, between=" ", end=""),
        "kind": "delivery",
    }
    if draw < 0.05:
        result.filter()
        return ndjson({**values, "kind": "internal"})
    if draw < 0.08:
        name, change = BAD_SHIPMENTS[result.quarantined % len(BAD_SHIPMENTS)]
        result.quarantine(name)
        return change(values)
    line = ndjson(values)
    sent.append(line)
    result.keep(
        key,
        f"{key}\t{values['order_id']}\t{copy_field(values['carrier'])}\t{values['weight_kg']}\t"
        f"{instant(shipped - ZURICH_SUMMER)}",
    )
    return line


def ndjson(values):
    return (json.dumps(values, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


BAD_SHIPMENTS = [
    ("bad number", lambda values: ndjson({**values, "weight_kg": "heavy"})),
    ("negative weight", lambda values: ndjson({**values, "weight_kg": -1})),
    ("bad date", lambda values: ndjson({**values, "shipped_at": "2024-06-31 10:00:00"})),
    ("missing value", lambda values: ndjson({**values, "shipment_id": None})),
    ("broken JSON", lambda values: ndjson(values)[:-20] + b"\n"),
    ("wrong encoding", lambda values: ndjson({**values, "carrier": "Zürich"}).decode().encode("latin-1")),
    ("not JSON", lambda values: b"-- the line was busy --\n"),
]
