"""How much memory the workers and their SQL children take, looked up in /proc while the demo runs."""

import pathlib
import threading
import time

INTERVAL_SECONDS = 0.1


class MemorySampler:
    """Samples this process's `sluice` descendants and whatever else is watched, until it is left."""

    def __init__(self):
        self.roots = set()
        self.samples = []  # (time, role, bytes)
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()

    def watch(self, pids):
        """Samples these processes (workers) and their descendants from now on."""
        self.roots |= set(pids)

    def run(self):
        while not self.stopped.wait(INTERVAL_SECONDS):
            now = time.time()
            roots = set(self.roots)
            for pid in roots:
                if size := proportional_bytes(pid):
                    self.samples.append((now, "worker", size))
            for pid, parent, name in processes():
                if parent in roots and name == "duckdb" and (size := proportional_bytes(pid)):
                    self.samples.append((now, "duckdb", size))

    def peak(self, role, start=0.0, end=float("inf")):
        """The most that one process of this role took in that time, in bytes; 0 where it was never seen."""
        sizes = (size for at, which, size in self.samples if which == role and start <= at <= end)
        return max(sizes, default=0)


def processes():
    """(pid, parent, name) of every process that can be looked at."""
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            text = (entry / "stat").read_text()
        except OSError:
            continue
        name = text[text.index("(") + 1 : text.rindex(")")]
        yield int(entry.name), int(text[text.rindex(")") + 2 :].split()[1]), name


def proportional_bytes(pid):
    """The process's proportional set size; None where it is gone or another user's."""
    try:
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None
