"""Holds what Sluice counted, and what is in the target, against what the generator knows.

    python3 demo/reconcile.py --expected FILE --sluice PROGRAM --project FOLDER --target URL

prints a table and ends with one line,

    reconciled raw=… curated=… filtered=… deduplicated=… quarantined=… target=… expected=…

Exit 0 only where, for each dataset, the counts of the catalog add up and are the generator's, and the target holds
exactly the expected rows: their number, no key twice, and the checksum of all their values.
"""

import argparse
import hashlib
import json
import pathlib
import subprocess
import sys

COUNTS = ["raw", "curated", "filtered", "deduplicated", "quarantined"]
# What the catalog calls them. `filtered` is null there where nothing could be counted, which is a failure here.
CATALOG_NAMES = {"raw": "rows_in", "curated": "rows_out"}


def utc(column):
    return f"""to_char({column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""


# Of each dataset: its table, its key, and the columns in the order in which the generator wrote its rows.
TABLES = {
    "orders": (
        "mart.orders",
        "order_id",
        f"order_id, customer, status, currency, quantity, amount, {utc('ordered_at')}, {utc('updated_at')}, note",
    ),
    "invoices": ("mart.invoices", "id", f"id, order_id, total, currency, issued_on, paid, {utc('updated_at')}"),
    "shipments": (
        "mart.shipments",
        'shipment_id collate "C"',
        f"shipment_id, order_id, carrier, weight_kg, {utc('shipped_at')}",
    ),
}


def psql(url, sql):
    command = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", url, "-c", sql]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def target_rows(url, dataset):
    """(rows, distinct keys, SHA-256 of all rows in the key's order) of the dataset's table."""
    table, key, columns = TABLES[dataset]
    rows, keys = psql(url, f"select count(*), count(distinct {key}) from {table}").split("|")
    digest = hashlib.sha256()
    copy = f"copy (select {columns} from {table} order by {key}) to stdout"
    with subprocess.Popen(["psql", "-X", "-q", url, "-c", copy], stdout=subprocess.PIPE) as reader:
        while chunk := reader.stdout.read(1 << 20):
            digest.update(chunk)
    if reader.returncode != 0:
        raise SystemExit(f"reconcile: reading {table} failed")
    return int(rows), int(keys), digest.hexdigest()


def catalog_counts(sluice, project):
    """By dataset, what Sluice counted in its newest snapshot."""
    command = [sluice, "catalog", "--json"]
    done = subprocess.run(command, cwd=project, stdout=subprocess.PIPE, text=True)
    document = json.loads(done.stdout)
    if done.returncode != 0:
        raise SystemExit(f"reconcile: sluice catalog failed: {document}")
    return {
        entry["dataset"]: {name: entry[CATALOG_NAMES.get(name, name)] for name in COUNTS}
        for entry in document["catalog"]
    }


def faults_of(counted, expected, rows, keys, checksum):
    """What does not fit, in words."""
    faults = []
    if None in counted.values():
        return ["not counted: " + ", ".join(name for name in COUNTS if counted[name] is None)]
    if counted["raw"] != sum(counted[name] for name in COUNTS[1:]):
        faults.append("raw is not curated + filtered + deduplicated + quarantined")
    faults += [
        f"{name} is {counted[name]}, expected {expected[name]}" for name in COUNTS if counted[name] != expected[name]
    ]
    if rows != expected["target_rows"]:
        faults.append(f"the target has {rows} rows, expected {expected['target_rows']}")
    if keys != rows:
        faults.append(f"{rows - keys} rows of the target repeat a key")
    if checksum != expected["target_sha256"]:
        faults.append("the target's values are not the expected ones")
    return faults


def reconcile(expected, sluice, project, target):
    """Prints the table and the last line; returns whether everything fits."""
    counted = catalog_counts(sluice, project)
    columns = [*COUNTS, "target", "expected"]
    total = dict.fromkeys(columns, 0)
    print(f"\n  {'dataset':<10}" + "".join(f"{name:>14}" for name in columns))
    faults = []
    for dataset, wanted in expected["datasets"].items():
        if dataset not in counted:
            faults.append(f"{dataset}: not in the catalog")
            continue
        rows, keys, checksum = target_rows(target, dataset)
        line = {**counted[dataset], "target": rows, "expected": wanted["target_rows"]}
        print(f"  {dataset:<10}" + "".join(f"{line[name] or 0:>14,}" for name in columns))
        for name in columns:
            total[name] += line[name] or 0
        found = faults_of(counted[dataset], wanted, rows, keys, checksum)
        faults += [f"{dataset}: {fault}" for fault in found]
    print(f"  {'all':<10}" + "".join(f"{total[name]:>14,}" for name in columns) + "\n")
    for fault in faults:
        print(f"  does not fit: {fault}")
    verdict = "NOT reconciled" if faults else "reconciled"
    print(verdict + "".join(f" {name}={total[name]}" for name in columns), flush=True)
    return not faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--expected", type=pathlib.Path, required=True)
    parser.add_argument("--sluice", required=True)
    parser.add_argument("--project", type=pathlib.Path, required=True)
    parser.add_argument("--target", required=True)
    options = parser.parse_args()
    expected = json.loads(options.expected.read_text())
    sys.exit(0 if reconcile(expected, options.sluice, options.project, options.target) else 1)


if __name__ == "__main__":
    main()
