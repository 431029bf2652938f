"""Writes the demo's messy batch, and what must come of it.

    python3 demo/generate.py DIRECTORY [--orders N] [--invoices N] [--shipments N] [--seed N]

leaves in DIRECTORY:

    orders/orders-001.csv …     what the shop exports: files of CSV, served over HTTP
    invoices/page-001.json …    what the billing system answers, page by page
    drops/shipments/*.ndjson    what a partner drops into a folder, one of them gzipped
    expected.json               how many rows of each dataset must be curated, filtered, deduplicated
                                and quarantined, and the target's rows and their checksum

Every row is written together with its fate, so expected.json owes nothing to the program under test: it reads
no file back, parses nothing and runs no SQL. The same arguments give the same bytes.
"""

import argparse
import json
import pathlib
import random

from invoices import write_invoices
from orders import write_orders
from shipments import write_shipments


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--orders", type=int, default=500_000)
    parser.add_argument("--invoices", type=int, default=20_000)
    parser.add_argument("--shipments", type=int, help="one for fifty orders unless given")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    shipments = options.shipments or max(300, options.orders // 50)

    def seeded(name):
        """A stream of randomness for each part, so that a change of one leaves the others as they are."""
        return random.Random(f"{options.seed}:{name}")

    datasets = {
        "orders": write_orders(options.directory / "orders", options.orders, seeded("orders")),
        "invoices": write_invoices(options.directory / "invoices", options.invoices, seeded("invoices")),
        "shipments": write_shipments(options.directory / "drops/shipments", shipments, seeded("shipments")),
    }
    expected = {name: dataset.expected() for name, dataset in datasets.items()}
    document = {"seed": options.seed, "datasets": expected}
    (options.directory / "expected.json").write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
