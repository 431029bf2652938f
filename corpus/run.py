"""A corpus of files with known values, through the whole path into PostgreSQL, and every value compared.

    make soak-corpus [SOAK_SECONDS=…] [SLUICE_TEST_SEED=…]
    python3 corpus/run.py --engine PATH --target URL --control URL [--seed N] [--seconds N] [--rounds N] [--work DIR]

A round is one pipeline with streams, contracts and loads that the seed draws, and a few deliveries, each taken in by
`sluice run`. After each run the tables are compared with what the files mean: docs/types.md and docs/pipeline.md,
written down a second time in reading.py. So are the rows in quarantine, with their reasons, texts and places, and the
counts of the catalog. Both databases are empty ones of the caller's. Each round has the next seed; the first is drawn
and printed when none is given. The last line is

    corpus seed=… rounds=… runs=… records=… values=… quarantined=… different=0

Exit 0 only if nothing was different. Otherwise each difference is printed, and the work folder stays.
"""

import argparse
import os
import pathlib
import random
import shutil
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
# psycopg, as scripts/setup.sh installs it.
sys.path.insert(1, str(ROOT / ".tools" / "python"))

from project import Project  # noqa: E402
from target import Faults  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", type=pathlib.Path, required=True)
    parser.add_argument(
        "--duckdb", type=pathlib.Path, default=os.environ.get("SLUICE_DUCKDB") or ROOT / ".tools/duckdb/duckdb"
    )
    for name in ("--target", "--control"):
        parser.add_argument(name, required=True)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rounds", type=int, help="at most so many")
    parser.add_argument("--work", type=pathlib.Path)
    options = parser.parse_args()
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1_000_000)
    return options


def main():
    options = arguments()
    work = options.work or pathlib.Path(tempfile.mkdtemp(prefix="sluice-corpus-"))
    print(f"corpus: seed {options.seed}, {options.seconds:g} s, in {work}", flush=True)
    project, faults = Project(options, work), Faults()
    deadline = time.monotonic() + options.seconds
    rounds, slowest = 0, 0.0
    # A round that has begun is finished, so none begins that may not be.
    while not faults.all and (rounds == 0 or time.monotonic() + slowest < deadline) and rounds != options.rounds:
        started = time.monotonic()
        project.round(options.seed + rounds, faults)
        rounds += 1
        slowest = max(slowest, time.monotonic() - started)
    if faults.all:
        print(f"  to repeat it: --seed {options.seed + rounds - 1} --rounds 1; the files are in {work}")
    elif not options.work:
        shutil.rmtree(work)
    print(
        f"corpus seed={options.seed} rounds={rounds} runs={project.runs} records={project.records}"
        f" values={project.values} quarantined={project.quarantined} different={len(faults.all)}",
        flush=True,
    )
    return 1 if faults.all else 0


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
