"""One storm: what it stands on, its raging, and the calm in which everything must end."""

import dataclasses
import json
import os
import pathlib
import random
import shutil
import tempfile
import time

from client import Client, Feeder
from faults import Faults
from history import History, Watch
from plan import DEPLOYS_PER_MINUTE, KILLS_PER_MINUTE, draw_plan
from postgres import Postgres, free_port
from project import PIPELINES, Definition, Engines, create_tables, find_duckdb
from releases import Releases
from server import SourceServer
from source import Source
from system import Shadows, System

LEASE_SECONDS = 3
WORKERS = 2
DRAIN_SECONDS = 180
# Beyond the plan's time, to reach the promised numbers.
EXTRA_SHARE = 0.5


class Storm:
    """`set_up`, `rage` and `calm`, in this order; then `verdict.Verdict` judges it, and `clean_up` ends it."""

    def __init__(self, options):
        self.options = options
        self.violations = []
        self.plan = draw_plan(options.seed, options.minutes, options.engine_older is not None)
        self.more = random.Random(f"{options.seed}:more")
        self.work = self.make_work_folder()
        self.shadows = Shadows()
        self.started = time.monotonic()

    def make_work_folder(self):
        if self.options.work is None:
            folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-storm-"))
        else:
            folder = self.options.work.resolve()
            folder.mkdir(parents=True)
        folder.chmod(0o755)  # PostgreSQL's user goes through it
        plan = {"seed": self.options.seed, **dataclasses.asdict(self.plan)}
        (folder / "plan.json").write_text(json.dumps(plan, indent=1) + "\n")
        return folder

    def say(self, text):
        print(f"  {time.monotonic() - self.started:6.1f}  {text}", flush=True)

    def set_up(self):
        self.postgres = Postgres(self.work / "postgres")
        self.postgres.create()
        create_tables(lambda statement: self.postgres.sql(statement, "target", "loader"))
        self.source = Source(self.plan.source_seed, self.work / "journal", self.work / "drops")
        self.server = SourceServer(self.source)
        self.server.start()
        engines = Engines(self.work / "engines", self.options.engine, self.options.engine_older)
        project = Definition(number=1).write(self.work / "project")
        environment = {
            **os.environ,
            "SLUICE_DATABASE_URL": self.postgres.url("control"),
            "SLUICE_SECRET_WAREHOUSE": self.postgres.url("target", "loader"),
            "SLUICE_LEASE": str(LEASE_SECONDS),
            "STORM_SOURCE": self.server.url,
            "STORM_DROPS": str(self.source.drops),
            "SLUICE_DUCKDB": find_duckdb(self.options.engine),
        }
        self.system = System(engines.own[0], project, environment, free_port(), WORKERS)
        self.faults = Faults(self.plan, self.system, self.postgres, self.shadows, LEASE_SECONDS, self.say)
        self.releases = Releases(
            self.plan, self.system, self.postgres, engines, self.shadows, self.work / "releases", self.say
        )
        self.client = Client(self.system.port, self.system.token, self.shadows)
        self.feeder = Feeder(self.postgres, self.start_run)
        self.watch = Watch(self.postgres, self.system, self.shadows)
        self.history = History(self.postgres, self.releases.definitions)
        self.system.up()

    @property
    def deploys(self):
        return not self.options.no_deploys

    @property
    def posts(self):
        return not self.options.no_posts

    def start_run(self, pipeline):
        """By the client, whose answers count; or by the command line."""
        if self.posts:
            return self.client.post(pipeline)
        return self.system.ask("run", pipeline)[1].get("run")

    def rage(self):
        """The plan's time, and somewhat longer where the promised numbers are not reached."""
        if self.deploys:
            self.releases.first()
        self.source.start()
        self.feeder.start()
        if self.posts:
            self.client.start()
        if self.deploys:
            self.watch.start()
            self.releases.start()
        self.faults.begin()
        seconds = self.options.minutes * 60
        while self.faults.now < seconds or (self.is_short() and self.faults.now < seconds * (1 + EXTRA_SHARE)):
            if not self.faults.step() and self.faults.now >= seconds:
                self.faults.more_kills(self.missing_kills(), self.more)
            time.sleep(0.05)
        self.faults.finish()
        if self.deploys:
            self.releases.stop()

    def missing_kills(self):
        return max(0, round(KILLS_PER_MINUTE * self.options.minutes) - self.faults.kills)

    def missing_deploys(self):
        wanted = round(DEPLOYS_PER_MINUTE * self.options.minutes) if self.deploys else 0
        return max(0, wanted - self.releases.counts["deploys"])

    def is_short(self):
        return self.missing_kills() > 0 or (self.missing_deploys() > 0 and self.releases.thread.is_alive())

    def calm(self):
        """No more faults: what is under way ends, and one last run of each pipeline brings what is left."""
        if missing := self.missing_deploys():
            self.say(f"{missing} more deploys")
            self.releases.more(missing, self.more)
        self.source.stop()
        self.feeder.stop()
        if self.posts:
            self.client.stop()
        self.wait_until(lambda: not self.history.open_runs(), "runs are not over")
        for pipeline in PIPELINES:
            self.wait_until(lambda: self.start_run(pipeline), f"the last run of {pipeline} cannot be started")
        self.wait_until(lambda: not self.history.open_runs(), "the last runs are not over")
        if self.deploys:
            self.wait_until(lambda: not self.history.left_releases(), "releases are left")
            self.watch.stop()

    def wait_until(self, holds, failure):
        deadline = time.monotonic() + DRAIN_SECONDS
        while not holds():
            if time.monotonic() > deadline:
                return self.violations.append(f"after {DRAIN_SECONDS} s of calm {failure}")
            time.sleep(0.5)

    def clean_up(self, held):
        """Ends every process of the storm; the folder goes only if everything held."""
        if hasattr(self, "faults"):
            for pid in list(self.faults.stopped):
                self.faults.go_on(pid, 0)
        if hasattr(self, "system"):
            self.system.down()
            self.system.kill_all()
        if hasattr(self, "postgres"):
            self.postgres.stop("fast")
        if held and not self.options.keep:
            shutil.rmtree(self.work, ignore_errors=True)
        else:
            print(f"  the work folder stays: {self.work}")
