"""The system under storm: its verbs, its processes, and the moments at which it may be excused."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import threading
import time

VERB_SECONDS = 180
UP_ATTEMPTS = 20
# What a fault disturbs goes on a little after it is over: leases run out, connections are made again.
SHADOW_SECONDS = 3.0


class Shadows:
    """When each fault was on: (kind, start, end), the end None while it lasts."""

    def __init__(self):
        self.spans = []
        self.lock = threading.Lock()

    def begin(self, kind):
        with self.lock:
            self.spans.append([kind, time.time(), None])
            return len(self.spans) - 1

    def end(self, index):
        with self.lock:
            self.spans[index][2] = time.time()

    def touch(self, start, end, kinds, after=SHADOW_SECONDS):
        """Whether a fault of these kinds was on, or just over, in that time."""
        with self.lock:
            return any(
                kind in kinds and begin <= end and start <= (over or end) + after for kind, begin, over in self.spans
            )


class System:
    """One project of one environment, and the engine that its verbs are called with."""

    def __init__(self, engine, project, environment, port, workers):
        self.engine = engine
        self.project = project
        self.environment = environment
        self.port = port
        self.workers = workers
        self.control_url = f"http://127.0.0.1:{port}"
        self.log = open(project.parent / "verbs.log", "a", buffering=1)

    def ask(self, *arguments, timeout=VERB_SECONDS):
        """A verb with --json: its exit code and its object. A verb that does not end is ended: exit code None."""
        command = ["nice", "-n", "5", str(self.engine), *map(str, arguments), "--project", str(self.project), "--json"]
        started = time.time()
        verb = subprocess.Popen(
            command,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.project,
        )
        try:
            text, errors = verb.communicate(timeout=timeout)
            code = verb.returncode
        except subprocess.TimeoutExpired:
            verb.kill()
            text, errors = verb.communicate()
            code = None
        self.log.write(
            json.dumps(
                {
                    "at": round(started, 3),
                    "seconds": round(time.time() - started, 3),
                    "verb": list(map(str, arguments)),
                    "exit": code,
                    "answer": text[-4000:],
                    "errors": errors[-2000:],
                }
            )
            + "\n"
        )
        return code, last_object(text)

    def up(self):
        """Starts control and its workers on the storm's port; one that is up already is as good."""
        for _ in range(UP_ATTEMPTS):
            code, answer = self.ask("up", "--detach", "--workers", self.workers, "--port", self.port)
            if code == 0 or error_code(answer) == "already_up":
                return
            time.sleep(0.5)
        raise StormFailure(f"sluice up did not succeed in {UP_ATTEMPTS} attempts: {answer}")

    def down(self):
        self.ask("down")

    def control_pid(self):
        """The control process as its own file says, if it lives and is this project's."""
        for path in self.project.glob(".sluice/*/control*.json"):
            with contextlib.suppress(OSError, ValueError, KeyError):
                pid = int(json.loads(path.read_text())["pid"])
                if self.owns(pid):
                    return pid
        return None

    def token(self):
        """What the API wants of its clients; empty while no control has written one."""
        for path in self.project.glob(".sluice/*/control*.token"):
            with contextlib.suppress(OSError):
                return path.read_text().strip()
        return ""

    def worker_pids(self):
        """Every worker process of this project, oldest first, whichever release it belongs to."""
        return [pid for pid, command in self.processes() if "worker" in command[1:2]]

    def processes(self):
        """(pid, command line) of every process of this project's system."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit() and (command := command_line(int(entry.name))) and str(self.project) in command:
                found.append((int(entry.name), command))
        return sorted(found)

    def owns(self, pid):
        return str(self.project) in command_line(pid)

    def kill_all(self):
        """Nothing of this project runs after this: for the end of a storm that went wrong."""
        for pid, _ in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


class StormFailure(Exception):
    """The storm cannot go on."""


def command_line(pid):
    try:
        data = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return data.decode(errors="replace").split("\0")[:-1]


def last_object(text):
    """The JSON object that ends what a verb printed; {} where there is none."""
    for start in [0, *(index + 1 for index, letter in enumerate(text) if letter == "\n")]:
        if text.startswith("{", start):
            with contextlib.suppress(ValueError):
                return json.loads(text[start:])
    return {}


def error_code(answer):
    return (answer.get("error") or {}).get("code")
