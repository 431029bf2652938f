"""The demo: Sluice's main job on a messy batch, with a worker killed in the middle.

    make demo                      builds first
    python3 demo/run.py            with the release binary that is there
    python3 demo/run.py --remove   stops what an earlier demo left running and removes .demo/

Set by the environment: DEMO_ORDERS (500000), DEMO_INVOICES (20000), DEMO_SEED (1), DEMO_KILL (1; 0 kills nobody).
Everything is made in .demo/, which stays for a look around. Exit 0 only when every number reconciles.
"""

import contextlib
import datetime
import fcntl
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import reconcile
from memory import MemorySampler
from target import TARGET_PREFIX, Target

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
WORK = ROOT / ".demo"
PROJECT = WORK / "project"
SLUICE = ROOT / ".build/release/sluice"
TOKEN = "demo-token"
# The shop's server spreads each of its files over this time, as a real one would; long enough to kill a worker in.
PACE_SECONDS = 0.5
KILL_AFTER_FILES = 3
RUN_LIMIT_SECONDS = 1800


class DemoFailure(Exception):
    """A step of the demo did not do what it should."""


def say(text):
    print(text, flush=True)


@contextlib.contextmanager
def step(title):
    say(f"\n── {title}")
    started = time.monotonic()
    yield
    say(f"   {time.monotonic() - started:.1f} s")


class Sluice:
    """The release binary, run in the demo's project."""

    def __init__(self, environment):
        self.environment = environment

    def start(self, *arguments, **options):
        command = [str(SLUICE), *map(str, arguments)]
        return subprocess.Popen(command, cwd=PROJECT, env=self.environment, stdin=subprocess.DEVNULL, **options)

    def ask(self, *arguments, quiet=False):
        """A verb with --json: its exit code and its object."""
        errors = subprocess.DEVNULL if quiet else None
        process = self.start(*arguments, "--json", stdout=subprocess.PIPE, stderr=errors)
        text = process.communicate(timeout=120)[0]
        return process.returncode, (json.loads(text) if text.strip() else {})

    def must(self, *arguments):
        code, answer = self.ask(*arguments)
        if code != 0:
            raise DemoFailure(f"sluice {' '.join(map(str, arguments))} ended with exit {code}: {error_text(answer)}")
        return answer


def error_text(answer):
    error = answer.get("error") or {}
    return " ".join(str(error[name]) for name in ("code", "message", "hint") if error.get(name)) or "no error given"


def main():
    if sys.argv[1:] == ["--remove"]:
        remove_last_demo()
        return 0
    if not SLUICE.exists():
        raise DemoFailure("there is no release binary; run: make build")
    WORK.mkdir(exist_ok=True)
    (WORK / ".gitignore").write_text("*\n")
    with open(WORK / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second demo waits for its turn
        return demo()


def demo():
    orders = int(os.environ.get("DEMO_ORDERS", "500000"))
    invoices = int(os.environ.get("DEMO_INVOICES", "20000"))
    seed = int(os.environ.get("DEMO_SEED", "1"))
    kill = os.environ.get("DEMO_KILL", "1") != "0"

    clear_last_demo()
    data = WORK / "data"
    with step(f"generate {orders:,} orders, {invoices:,} invoices and a partner's shipments (seed {seed})"):
        sizes = ["--orders", str(orders), "--invoices", str(invoices), "--seed", str(seed)]
        subprocess.run([sys.executable, HERE / "generate.py", data, *sizes], check=True)
        expected = json.loads((data / "expected.json").read_text())
        show_mess(expected)

    with contextlib.ExitStack() as stack:
        with step("serve it over HTTP, and start an empty PostgreSQL as the target"):
            url = stack.enter_context(remote(data))
            target = stack.enter_context(Target())
            (WORK / "target").write_text(str(target.folder))
            say(f"   {url} · {target.url()}")
        shutil.copytree(HERE / "project", PROJECT)
        sluice = Sluice(
            {
                **os.environ,
                "SHOP_URL": url,
                "DROPS_FOLDER": str(data / "drops"),
                "SLUICE_SECRET_SHOP_TOKEN": TOKEN,
                "SLUICE_SECRET_WAREHOUSE": target.url(),
            }
        )
        with step("sluice check, sluice up --detach, and a second worker"):
            sluice.must("check")
            stack.callback(down, sluice)
            sluice.must("up", "--detach")
            if kill:
                stack.enter_context(extra_worker(sluice))
        memory = stack.enter_context(MemorySampler())
        with step("sluice run orders --wait" + (", and kill -9 a worker in the middle" if kill else "")):
            run = run_pipeline(sluice, memory, kill)
        show_stages(sluice, run, memory)
        return 0 if reconcile.reconcile(expected, str(SLUICE), PROJECT, target.url()) else 1


# --- what the demo stands on -----------------------------------------------------------------------------


def clear_last_demo():
    """Stops what a demo that was killed left running, and removes its files; the lock file stays."""
    if (PROJECT / ".sluice").exists() and SLUICE.exists():
        down(Sluice(dict(os.environ)))
    with contextlib.suppress(OSError):
        folder = pathlib.Path((WORK / "target").read_text())
        if folder.name.startswith(TARGET_PREFIX):
            shutil.rmtree(folder)
    for name in ("project", "data"):
        shutil.rmtree(WORK / name, ignore_errors=True)
    for name in ("port", "target", "requests.ndjson", "server.log", "worker.log"):
        (WORK / name).unlink(missing_ok=True)


def remove_last_demo():
    if not WORK.exists():
        return
    clear_last_demo()
    shutil.rmtree(WORK, ignore_errors=True)


def down(sluice):
    code, answer = sluice.ask("down", quiet=True)
    if code != 0:
        say(f"   sluice down ended with exit {code}: {error_text(answer)}")


@contextlib.contextmanager
def remote(data):
    """The shop's server; it ends when its standard input does, even if this process is killed."""
    port = WORK / "port"
    arguments = ["--port-file", port, "--log", WORK / "requests.ndjson", "--token", TOKEN, "--pace", PACE_SECONDS]
    with open(WORK / "server.log", "wb") as log:
        server = subprocess.Popen(
            [sys.executable, HERE / "serve.py", data, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_for(port.exists, 15, "the HTTP server did not start; see .demo/server.log")
        yield f"http://127.0.0.1:{int(port.read_text())}"
    finally:
        server.stdin.close()
        server.wait(timeout=15)


@contextlib.contextmanager
def extra_worker(sluice):
    """A worker beside those of `sluice up`, so that another is there when one is killed."""
    with open(WORK / "worker.log", "wb") as log:
        worker = sluice.start("worker", stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for(
            lambda: worker.poll() is not None or len(workers(sluice)) >= 2,
            30,
            "the second worker did not register; see .demo/worker.log",
        )
        yield worker
    finally:
        if worker.poll() is None:
            worker.terminate()  # it drains
            try:
                worker.wait(timeout=30)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()


def wait_for(condition, seconds, failure):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise DemoFailure(failure)
        time.sleep(0.1)


# --- the run ---------------------------------------------------------------------------------------------


def workers(sluice):
    return {worker["id"]: worker["pid"] for worker in sluice.must("status")["workers"]}


def run_pipeline(sluice, memory, kill):
    """Runs the pipeline to its end, with progress on standard error; returns what `run --json` told."""
    process = sluice.start("run", "orders", "--wait", "--json", stdout=subprocess.PIPE)
    victim = None
    deadline = time.monotonic() + RUN_LIMIT_SECONDS
    try:
        while process.poll() is None:
            memory.watch(workers(sluice).values())
            if kill and victim is None:
                victim = kill_one(sluice)
            if time.monotonic() > deadline:
                raise DemoFailure(f"the run has not ended after {RUN_LIMIT_SECONDS} s")
            time.sleep(0.25)
        text = process.stdout.read()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=60)
    answer = json.loads(text) if text.strip() else {}
    if process.returncode != 0:
        raise DemoFailure(f"the run ended with exit {process.returncode}: {error_text(answer)}")
    if kill:
        show_resumed(sluice, answer["run"], victim)
    return answer


def orders_ingest(sluice, run=None):
    """The job that reads the shop's orders, of the newest run unless one is named; None where there is none yet."""
    if run is None:
        runs = [one["run"] for one in sluice.must("runs")["runs"] if one.get("kind") != "load"]
        if not runs:
            return None
        run = max(runs)
    jobs = sluice.must("runs", "show", run)["jobs"]
    return next((job for job in jobs if job["label"] == "shop.orders" and is_stage(job, "ingest")), None)


def is_stage(job, stage):
    return job["kind"].split(".")[0] == stage


def kill_one(sluice):
    """Kills the worker that reads the orders once some of their files are in; None: not yet."""
    job = orders_ingest(sluice)
    if not job or job["state"] != "LEASED" or not job["checkpoint"] or len(served()) < KILL_AFTER_FILES:
        return None
    pid = workers(sluice).get(job["worker"])
    if pid is None or not is_sluice(pid):
        return None
    os.kill(pid, signal.SIGKILL)
    say(f"   killed worker {job['worker']} (pid {pid}) with SIGKILL: it had read {len(served())} files of orders")
    return pid


def is_sluice(pid):
    try:
        return os.path.samefile(f"/proc/{pid}/exe", SLUICE)
    except OSError:
        return False


def served():
    """The files of orders that the shop's server sent whole, one entry each time."""
    log = (WORK / "requests.ndjson").read_text().splitlines()
    requests = [json.loads(line) for line in log if line.endswith("}")]
    return [
        one["name"] for one in requests if one["name"].startswith("orders-") and one["status"] == 200 and one["whole"]
    ]


def show_resumed(sluice, run, victim):
    """Proves that another worker went on from the checkpoint: the server was asked for hardly a file twice."""
    if victim is None:
        raise DemoFailure("the run was over before a worker could be killed; raise DEMO_ORDERS")
    job = orders_ingest(sluice, run)
    attempts = job["attempts"]
    if len(attempts) < 2:
        raise DemoFailure("the killed worker's job shows one attempt only")
    files = served()
    twice = len(files) - len(set(files))
    if twice > 1:
        raise DemoFailure(f"{twice} files of orders were read twice: the checkpoint did not serve")
    tried = ", ".join(f"worker {one['worker']}: {one['status']}" for one in attempts)
    say(f"   job {job['id']} (shop.orders) in {len(attempts)} attempts ({tried})")
    say(f"   of {len(set(files))} files the shop's server sent {twice} again")


# --- what came of it -------------------------------------------------------------------------------------


def show_mess(expected):
    for name, dataset in expected["datasets"].items():
        mess = ", ".join(f"{count:,} × {kind}" for kind, count in dataset["mess"].items())
        say(f"   {name:<10}{dataset['raw']:>9,} rows: {mess}")


def show_stages(sluice, run, memory):
    """Time, rows and memory of each stage; the times are those of the jobs' attempts."""
    stages = run["stages"]
    rows = {
        "ingest": stages["ingest"]["records"],
        "curate": stages["curate"]["rows_in"],
        "load": stages["load"]["rows"],
    }
    say(f"\n  {'stage':<8}{'seconds':>9}{'rows':>11}{'rows/s':>11}{'worker MB':>12}{'duckdb MB':>12}")
    for stage, spans in stage_spans(sluice, run["run"]).items():
        start, end = min(span[0] for span in spans), max(span[1] for span in spans)
        seconds = max(end - start, 0.001)
        count = rows.get(stage) or 0
        peaks = [memory.peak(role, start, end) / 1e6 for role in ("worker", "duckdb")]
        say(f"  {stage:<8}{seconds:>9.1f}{count:>11,}{count / seconds:>11,.0f}{peaks[0]:>12.0f}{peaks[1]:>12.0f}")
    say("  (memory: the largest one process at a time, proportional set size; ingest at the shop server's pace)")


def stage_spans(sluice, run):
    """By stage, the (start, end) of every attempt of the run and of its loads."""
    spans = {"ingest": [], "curate": [], "load": []}
    for one in sluice.must("runs")["runs"]:
        if one["run"] != run and one.get("parent") != run:
            continue
        for job in sluice.must("runs", "show", one["run"])["jobs"]:
            for attempt in job["attempts"]:
                if attempt["started_at"] and attempt["finished_at"]:
                    times = tuple(seconds_of(attempt[name]) for name in ("started_at", "finished_at"))
                    spans.setdefault(job["kind"].split(".")[0], []).append(times)
    return {stage: found for stage, found in spans.items() if found}


def seconds_of(text):
    return datetime.datetime.fromisoformat(text).timestamp()


def stop_on_signal(number, _):
    raise SystemExit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop_on_signal)
    signal.signal(signal.SIGHUP, stop_on_signal)
    try:
        sys.exit(main())
    except DemoFailure as failure:
        print(f"demo: {failure}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("demo: interrupted", file=sys.stderr)
        sys.exit(130)
