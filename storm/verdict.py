"""What a storm is judged by: the target against the source, the control database, and every answer on the way."""

from checker import Checker
from faults import ALL_KINDS
from history import percentile
from project import PULSE, TABLES
from source import read_journal

SHOWN = 50


class Verdict:
    """All violations of a storm that has come to rest; everything `held` where there is none."""

    def __init__(self, storm):
        self.storm = storm
        self.checker = Checker(
            storm.plan.source_seed, read_journal(storm.work / "journal"), storm.postgres.url("target")
        )
        self.findings = self.checker.check()
        self.pauses = storm.history.pauses()
        self.violations = list(dict.fromkeys(self.all_violations()))

    @property
    def held(self):
        return not self.violations

    def all_violations(self):
        storm = self.storm
        found = storm.violations + self.findings.examples + storm.history.violations()
        for pipeline, (history, _, _) in TABLES.items():
            found += storm.history.batch_violations(history.split(".")[1], history, self.checker.batches[pipeline])
        if storm.deploys:
            found += storm.history.release_violations() + storm.releases.violations
            found += storm.watch.violations
        if storm.posts:
            found += storm.client.violations + self.pulse_violations()
        if missing := storm.missing_deploys():
            found.append(f"{missing} deploys too few")
        if missing := storm.missing_kills():
            found.append(f"{missing} kills too few")
        return found

    def pulse_violations(self):
        """Every answered run exists; every other was started by a post whose answer a fault took."""
        client = self.storm.client
        rows = self.storm.postgres.sql_patient("select run_id, pipeline from sluice.run where kind = 'batch'")
        runs = {int(run): pipeline for run, pipeline in rows}
        found = [f"run {run} was answered and does not exist" for run in client.answered if run not in runs]
        moved = self.storm.history.forks()
        silent = {run for run, name in runs.items() if name == PULSE} - set(client.answered) - moved
        if len(silent) > client.unknown[PULSE]:
            found.append(f"{len(silent)} runs were posted without an answer, {client.unknown[PULSE]} posts had none")
        return found

    def show(self):
        storm = self.storm
        print(f"\n  source     {line({name: len(events) for name, events in self.checker.events.items()})} (events)")
        print(f"  batches    {line({name: len(batches) for name, batches in self.checker.batches.items()})}")
        print(f"  faults     {line(storm.faults.counts)}")
        if storm.posts:
            print(f"  client     {line(storm.client.counts)}")
        if storm.deploys:
            print(f"  releases   {line(storm.releases.counts)}")
            print(f"  promoted   {seconds(sorted(storm.releases.promotion_seconds))}")
            calm = [pause for pause, start, end, _ in self.pauses if not storm.shadows.touch(start, end, ALL_KINDS)]
            print(f"  hand-overs {seconds([pause[0] for pause in self.pauses])}")
            print(f"             without a fault: {seconds(calm)}")
            if self.pauses:
                pause, _, _, job = self.pauses[-1]
                print(f"  the longest pause of a batch in a hand-over: {pause:.3f} s (job {job})")
        for violation in self.violations[:SHOWN]:
            print(f"  VIOLATION {violation}")
        if self.violations:
            file = storm.work / "violations"
            file.write_text("\n".join(self.violations) + "\n")
            print(f"  {len(self.violations)} violations; all of them in {file}")

    @property
    def last_line(self):
        storm = self.storm
        numbers = {
            "seed": storm.options.seed,
            "deploys": storm.releases.counts["deploys"],
            "kills": storm.faults.kills,
            "restarts": storm.faults.restarts,
            **{sort: self.findings.counts[sort] for sort in ("lost", "repeated", "changed")},
            "pause_p99_ms": round(percentile([pause[0] for pause in self.pauses], 0.99) * 1000),
        }
        return "storm " + " ".join(f"{name}={value}" for name, value in numbers.items())


def line(counts):
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"


def seconds(values):
    """A summary of sorted times."""
    if not values:
        return "none"
    shares = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return f"{len(values)}, " + ", ".join(f"{name} {percentile(values, share):.3f} s" for name, share in shares.items())
