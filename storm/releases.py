"""Deploys, rollbacks and drains, at the moments of the plan, each held against what must come of it.

| step             | must end as                                                          |
|------------------|----------------------------------------------------------------------|
| plain, sql       | promoted; of a canary that is held for want of evidence, by hand     |
| engine           | the same, and control replaced by the new engine                     |
| older_engine     | the same, or refused by the gate                                     |
| by_hand          | a canary, promoted by `promote` while it is looked at                |
| withdrawn        | a canary, ended by `rollback` while it is looked at                  |
| failing_*        | rolled back by evidence                                              |
| bad_definition   | refused with exit 2, no release made                                 |
| crashing_engine  | refused with exit 3                                                  |
| rollback, drain  | done, or refused with a reason                                       |

A fault in the middle may blur a verdict: then the release is settled by hand, within a bounded time. What never is
excused: a bad release that becomes current, and one that stays.
"""

import collections
import contextlib
import pathlib
import random
import threading
import time

from faults import ALL_KINDS, KILL_CONTROL, RESTART, STOP_CONTROL
from postgres import Unreachable
from project import Definition
from system import StormFailure, error_code

GOOD = {"plain", "sql", "engine", "older_engine", "by_hand"}
FAULT_OF = {"failing_sql": "sql", "failing_contract": "contract", "bad_definition": "check"}
EXPECTED = {
    "plain": {0, 6},
    "sql": {0, 6},
    "engine": {0, 6},
    "older_engine": {0, 3, 6},
    "by_hand": {0},
    "withdrawn": {5},
    "failing_sql": {5},
    "failing_contract": {5},
    "bad_definition": {2},
    "crashing_engine": {3},
}
# Canaries whose evidence takes longer than the storm: what is done to them after a while.
BY_HAND = {"by_hand": "promote", "withdrawn": "rollback"}
VERDICTS = {0, 2, 3, 5, 6}
DRAINING = "select release_id from sluice.release where state = 'DRAINING' order by 1"
EARLIER = """
    select release_id::text from sluice.release
    where promoted_at is not null and removed_at is null and state in ('DRAINING', 'DRAINED', 'RETIRED')
    order by promoted_at desc limit 1
"""
COMING = ("STAGED", "CANARY")
# A good release that is refused because too much is under way is tried again.
ATTEMPTS = 3
RETRY_SECONDS = 5
# For control to decide on a canary whose deploy was cut off, before a person would.
DECISION_SECONDS = 45
REPLACEMENT_SECONDS = 20
SETTLE_ATTEMPTS = 3
DRAIN_PATIENCE = "15s"


class Releases:
    """Deploys in a thread of its own. `definitions` says, by label, what each release was made from."""

    def __init__(self, plan, system, postgres, engines, shadows, folder, say):
        self.plan = plan
        self.system = system
        self.postgres = postgres
        self.engines = engines
        self.shadows = shadows
        self.folder = folder
        self.say = say
        self.counts = collections.Counter()
        self.violations = []
        self.definitions = {"": Definition(1)}  # of runs without a deploy
        self.number = 1
        self.edition = 0
        self.engine = 0
        self.promotion_seconds = []
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run, name="releases", daemon=True)

    def first(self):
        """The release that the storm begins with."""
        code, answer = self.deploy_verb("first", Definition(self.number), self.engines.own[0], [])
        if self.state("first") != "CURRENT":
            raise StormFailure(f"the first deploy ended with exit {code}, not as current: {answer}")

    def start(self):
        self.began = time.monotonic()
        self.thread.start()

    def stop(self):
        """Waits for the step that is under way."""
        self.stopped.set()
        self.thread.join()

    def run(self):
        for step in self.plan.steps:
            if self.stopped.wait(max(0.0, self.began + step.at - time.monotonic())):
                return
            try:
                self.perform(step.kind, random.Random(step.draw))
            except Unreachable as error:
                self.violations.append(f"{step.kind}: the database stayed away: {error}")

    def more(self, count, draws):
        """Beyond the plan, where too many of its deploys had no verdict."""
        for _ in range(count):
            self.perform(draws.choice(["plain", "sql"]), draws)

    def perform(self, kind, rng):
        if kind == "rollback":
            return self.roll_back()
        if kind == "drain":
            return self.drain()
        for attempt in range(ATTEMPTS):
            code = self.deploy(kind, rng)
            if kind not in GOOD or kind == "older_engine" or code != 3:
                return
            self.counts["refused"] += 1
            if self.stopped.wait(RETRY_SECONDS):
                return
        self.violations.append(f"{kind}: a good release was refused {ATTEMPTS} times; see verbs.log")

    # --- one deploy ----------------------------------------------------------------------------------------

    def deploy(self, kind, rng):
        self.edition += 1
        label = f"{kind.replace('_', '-')}-{self.edition}"
        definition = self.definition(kind, rng)
        engine = self.choose_engine(kind, rng)
        started = time.time()
        with self.by_hand(kind, label, rng):
            code, answer = self.deploy_verb(label, definition, engine, self.options(kind, rng))
        if code in VERDICTS and (code != 3 or 3 in EXPECTED[kind]):
            self.counts["deploys"] += 1
            self.counts[kind] += 1
        self.counts["held"] += code == 6
        # A canary that is held, and one whose evidence takes longer than the storm, nobody else decides on.
        state = self.settle(kind, label, waits=code != 6 and kind not in BY_HAND)
        self.say(f"deploy {label}: exit {code}, {state or 'no release'}, {time.time() - started:.1f} s")
        self.judge(kind, label, code, answer, state, started)
        if state == "CURRENT":
            self.number = definition.number
            self.promotion_seconds.append(time.time() - started)
            if engine in self.engines.own:
                self.engine = self.engines.own.index(engine)
            if kind == "engine":
                self.expect_replacement(label, engine, started)
        return code

    def definition(self, kind, rng):
        fault = FAULT_OF.get(kind)
        # A number of its own for each definition that makes rows in another way; the rest keep the current one's.
        number = self.edition + 1 if kind == "sql" or fault else self.number
        is_older = kind == "older_engine"
        return Definition(number, self.edition, has_note=rng.random() < 0.5, fault=fault, is_older=is_older)

    def choose_engine(self, kind, rng):
        own = self.engines.own
        if kind == "engine":
            return own[(self.engine + rng.randrange(1, len(own))) % len(own)]
        if kind == "older_engine":
            return self.engines.older
        if kind == "crashing_engine":
            return rng.choice(self.engines.crashing)
        return own[self.engine]

    def options(self, kind, rng):
        if kind in BY_HAND:
            return ["--canary", "50%", "--evidence", "10m", "--no-rehearsal"]
        if kind.startswith("failing"):
            # As a canary, or found out by a rehearsal.
            return ["--canary", "50%", "--evidence", "20s", rng.choice(["--rehearsal", "--no-rehearsal"])]
        # Where a storm has just begun, or its batches are few, history promises too little, and it is rehearsed.
        return rng.choice([[], ["--canary", rng.choice(["25%", "50%"]), "--evidence", rng.choice(["3s", "6s"])]])

    @contextlib.contextmanager
    def by_hand(self, kind, label, rng):
        """Beside the deploy: what a person does to the canary while it is looked at."""
        ended = threading.Event()

        def act():
            while self.state(label) != "CANARY":
                if ended.wait(0.2):
                    return
            if not ended.wait(rng.uniform(1.0, 5.0)):
                self.system.ask(BY_HAND[kind], *([label] if kind in GOOD else []), "--reason", "storm")

        hand = threading.Thread(target=act, name="hand", daemon=True)
        if kind in BY_HAND:
            hand.start()
        yield
        ended.set()
        if kind in BY_HAND:
            hand.join()

    def deploy_verb(self, label, definition, engine, options):
        folder = definition.write(self.folder / label)
        self.definitions[label] = definition
        return self.system.ask("deploy", folder, "--label", label, "--engine", engine, "--reason", "storm", *options)

    def state(self, label):
        """The state of the release with this label; None where there is none."""
        rows = self.postgres.sql_patient(f"select state from sluice.release where label = '{label}'")
        return rows[0][0] if rows else None

    def settle(self, kind, label, waits):
        """The release's state once it is neither staged nor a canary, by control's decision or else by hand."""
        deadline = time.monotonic() + DECISION_SECONDS
        while waits and self.state(label) in COMING and time.monotonic() < deadline:
            time.sleep(0.5)
        # By its name: a `rollback` without one ends a canary, and of a release that is only staged it leaves the current one.
        for arguments in [["promote", label], ["rollback", label]] if kind in GOOD else [["rollback", label]]:
            for _ in range(SETTLE_ATTEMPTS):
                if self.state(label) in COMING:
                    self.counts[f"{arguments[0]} by hand"] += 1
                    self.system.ask(*arguments, "--reason", "the deploy was cut off")
        return self.state(label)

    def judge(self, kind, label, code, answer, state, started):
        trouble = []
        bad = kind not in GOOD and kind != "withdrawn"
        if state in COMING:
            trouble.append(f"is still {state}")
        if bad and state == "CURRENT":
            trouble.append("became current")
            self.system.ask("rollback", "--reason", "a bad release became current")
        if kind == "bad_definition" and state is not None:
            trouble.append(f"passes no check and was made a release: {state}")
        if kind in GOOD and code == 0 and state != "CURRENT":
            trouble.append(f"was promoted and is {state}")
        if code not in EXPECTED[kind]:
            if self.shadows.touch(started, time.time(), ALL_KINDS):
                self.counts["blurred"] += 1
            elif not (code == 3 and kind in GOOD):  # refused: tried again, and told when that does not help
                expected = " or ".join(map(str, sorted(EXPECTED[kind])))
                trouble.append(f"ended with exit {code} instead of {expected}: {answer}")
        self.violations += [f"{time.strftime('%H:%M:%S')} {label} {what}" for what in trouble]

    def expect_replacement(self, label, engine, started):
        """Control runs the promoted engine soon after the promotion, unless a fault was in the way."""
        deadline = time.monotonic() + REPLACEMENT_SECONDS
        while time.monotonic() < deadline:
            if (pid := self.system.control_pid()) and runs(pid, engine):
                self.counts["control replaced"] += 1
                return
            time.sleep(0.1)
        if not self.shadows.touch(started, time.time(), {KILL_CONTROL, STOP_CONTROL, RESTART}):
            self.violations.append(f"{label}: {REPLACEMENT_SECONDS} s after the promotion control runs another engine")

    # --- beside deploys --------------------------------------------------------------------------------------

    def roll_back(self):
        """To the release before; where that is refused because the last change was no deploy, to the one that was current last."""
        if self.beside("rollback", ["rollback", "--reason", "storm"]) == "rolled_back_already":
            if earlier := self.postgres.sql_patient(EARLIER):
                self.beside("rollback", ["rollback", "--to", earlier[0][0], "--reason", "storm"])

    def drain(self):
        draining = self.postgres.sql_patient(DRAINING)
        if draining:
            self.beside("drain", ["drain", draining[0][0], "--yield", "--by", DRAIN_PATIENCE])

    def beside(self, what, arguments):
        started = time.time()
        code, answer = self.system.ask(*arguments)
        self.say(f"{what}: exit {code} {error_code(answer) or ''}")
        self.counts[f"{what}s" if code == 0 else f"{what}s refused"] += 1
        if code not in (0, 3, 6) and not self.shadows.touch(started, time.time(), ALL_KINDS):
            self.violations.append(f"{what} ended with exit {code}: {answer}")
        return error_code(answer)


def runs(pid, engine):
    """Whether the process runs this copy of the engine: its mark stands at the end of the file."""
    try:
        with open(f"/proc/{pid}/exe", "rb") as file:
            file.seek(-16, 2)
            return file.read() == pathlib.Path(engine).read_bytes()[-16:]
    except OSError:
        return False
