"""The storm: deploys, kills, stops and restarts without end, and a checker that knows what must come of it.

    make storm [SEED=…] [MINUTES=…]
    python3 storm/run.py --engine PATH [--engine-older PATH] [--seed N] [--minutes N] [--quick] [--work DIR] [--keep]

Or by the environment: STORM_SEED, STORM_MINUTES, STORM_ENGINE, STORM_ENGINE_OLDER, STORM_WORK. A seed is drawn and
printed when none is given. `--quick` is the form of two minutes; `--no-deploys` leaves releases alone; `--no-posts`
starts runs by the command line. The last line is

    storm seed=… deploys=… kills=… restarts=… lost=0 repeated=0 changed=0 pause_p99_ms=…

Exit 0 only if everything held. Otherwise each violation is printed, and the work folder stays: definitions and logs in
it, every verb with its answer in verbs.log, PostgreSQL's data, and the journal of what the source made.
"""

import argparse
import os
import pathlib
import secrets
import signal
import sys

from storm import Storm
from system import StormFailure
from verdict import Verdict

QUICK_MINUTES = 2


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])

    def setting(name):
        return os.environ.get(name) or None

    parser.add_argument("--seed", type=int, default=setting("STORM_SEED"))
    parser.add_argument("--minutes", type=float, default=setting("STORM_MINUTES"))
    parser.add_argument("--engine", type=pathlib.Path, default=setting("STORM_ENGINE"))
    parser.add_argument("--engine-older", type=pathlib.Path, default=setting("STORM_ENGINE_OLDER"))
    parser.add_argument("--work", type=pathlib.Path, default=setting("STORM_WORK"))
    parser.add_argument("--quick", action="store_true", help="two minutes")
    parser.add_argument("--no-deploys", action="store_true", help="faults only")
    parser.add_argument("--no-posts", action="store_true", help="start runs by the command line")
    parser.add_argument("--keep", action="store_true", help="keep the work folder in any case")
    options = parser.parse_args()
    if options.engine is None or not options.engine.exists():
        parser.error("--engine: the path of the engine under storm is needed")
    if options.seed is None:
        options.seed = secrets.randbelow(1_000_000)
    if options.minutes is None:
        options.minutes = QUICK_MINUTES if options.quick else 10
    return options


def main():
    options = arguments()
    storm = Storm(options)
    print(f"storm: seed {options.seed}, {options.minutes:g} minutes, in {storm.work}", flush=True)
    verdict = None
    try:
        storm.set_up()
        storm.rage()
        storm.calm()
        verdict = Verdict(storm)
        verdict.show()
    except StormFailure as failure:
        print(f"  VIOLATION {failure}")
    finally:
        held = verdict is not None and verdict.held
        storm.clean_up(held)
    if verdict:
        print(verdict.last_line, flush=True)
    return 0 if held else 1


def stop_on_signal(number, _):
    raise SystemExit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop_on_signal)
    signal.signal(signal.SIGHUP, stop_on_signal)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("storm: interrupted", file=sys.stderr)
        sys.exit(130)
