"""Kills, stops and restarts, at the moments of the plan; in the main thread, to which PostgreSQL belongs."""

import collections
import contextlib
import heapq
import itertools
import os
import pathlib
import signal
import time

KILL_CONTROL, RESTART, STOP_CONTROL, KILL_WORKER, STOP_WORKER = (
    "kill control",
    "restart",
    "stop control",
    "kill worker",
    "stop worker",
)
ALL_KINDS = {KILL_CONTROL, RESTART, STOP_CONTROL, KILL_WORKER, STOP_WORKER}
# A victim that is not there yet is looked for again so much later, so often.
LOOK_AGAIN_SECONDS = 1.0
LOOKS = 10


class Faults:
    """Carries out the plan's faults and counts them. What a fault leaves to be done later stands in the same queue."""

    def __init__(self, plan, system, postgres, shadows, lease_seconds, say):
        self.system = system
        self.postgres = postgres
        self.shadows = shadows
        self.lease_seconds = lease_seconds
        self.say = say
        self.counts = collections.Counter()
        self.order = itertools.count()
        self.queue = []
        self.started = None
        self.looks = collections.Counter()
        self.stopped = {}  # pid -> when it was born, of those that are to be continued
        for fault in plan.faults:
            self.later(fault.at, self.perform, fault)

    def later(self, at, action, *arguments):
        heapq.heappush(self.queue, (at, next(self.order), action, arguments))

    @property
    def now(self):
        """Seconds since the storm began."""
        return time.monotonic() - self.started

    def begin(self):
        self.started = time.monotonic()

    def step(self):
        """Does what is due; returns whether anything is left."""
        while self.queue and self.queue[0][0] <= self.now:
            _, _, action, arguments = heapq.heappop(self.queue)
            action(*arguments)
        return bool(self.queue)

    def more_kills(self, count, draws):
        """Beyond the plan, where too many of its kills found nobody."""
        for index in range(count):
            self.later(self.now + 2 * index, self.kill, "worker", draws.getrandbits(31), 0, None)

    def perform(self, fault):
        if fault.what == "restart":
            self.restart(fault.whom)
        elif fault.what == "kill":
            self.kill(fault.whom, fault.draw, fault.seconds, fault)
        else:
            self.stop(fault.whom, fault.draw, fault.seconds, fault)

    def victim(self, whom, draw):
        if whom == "control":
            return self.system.control_pid()
        pids = self.system.worker_pids()
        return pids[draw % len(pids)] if pids else None

    def miss(self, fault):
        """Nobody there to be hit: control may be down, or workers not up again yet."""
        self.looks[fault] += 1
        if fault and self.looks[fault] < LOOKS:
            self.later(self.now + LOOK_AGAIN_SECONDS, self.perform, fault)

    def kill(self, whom, draw, seconds, fault):
        kind = KILL_CONTROL if whom == "control" else KILL_WORKER
        pid = self.victim(whom, draw)
        if pid is None:
            return self.miss(fault)
        shadow = self.shadows.begin(kind)
        if not send(pid, signal.SIGKILL):
            self.shadows.end(shadow)
            return self.miss(fault)
        self.counts[kind] += 1
        self.say(f"killed {whom} {pid}")
        if whom == "worker":
            return self.shadows.end(shadow)
        self.later(self.now + seconds, self.start_control, shadow)

    def start_control(self, shadow):
        self.system.up()
        self.shadows.end(shadow)

    def stop(self, whom, draw, seconds, fault):
        """A process hangs for longer than its lease, and goes on as if nothing had happened."""
        kind = STOP_CONTROL if whom == "control" else STOP_WORKER
        pid = self.victim(whom, draw)
        if pid is None or pid in self.stopped:
            return self.miss(fault)
        born = birth(pid)
        shadow = self.shadows.begin(kind)
        if not send(pid, signal.SIGSTOP):
            self.shadows.end(shadow)
            return self.miss(fault)
        self.stopped[pid] = born
        self.counts[kind] += 1
        self.say(f"stopped {whom} {pid}")
        self.later(self.now + self.lease_seconds * (1.2 + seconds), self.go_on, pid, shadow)

    def go_on(self, pid, shadow):
        born = self.stopped.pop(pid, None)
        if born and birth(pid) == born:
            send(pid, signal.SIGCONT)
        self.shadows.end(shadow)

    def restart(self, mode):
        shadow = self.shadows.begin(RESTART)
        self.say(f"restarting PostgreSQL ({mode})")
        self.postgres.restart(mode)
        self.counts[f"restart {mode}"] += 1
        self.shadows.end(shadow)

    def finish(self):
        """No fault lasts after this: what was stopped goes on, control is up."""
        for _, _, action, arguments in sorted(self.queue, key=lambda item: item[:2]):
            if action in (self.go_on, self.start_control):
                action(*arguments)
        self.queue = []

    @property
    def kills(self):
        return self.counts[KILL_CONTROL] + self.counts[KILL_WORKER]

    @property
    def restarts(self):
        return self.counts["restart fast"] + self.counts["restart immediate"]


def send(pid, number):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False


def birth(pid):
    """When the process began, in ticks: with its number, its identity. None where it is gone."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text[text.rindex(")") + 2 :].split()[19]
