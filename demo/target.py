"""The demo's target: a PostgreSQL server of its own, on a private socket, gone when the demo ends."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import time

TARGET_PREFIX = "sluice-demo-"
# Where Debian, PGDG's packages and others put the server's programs.
PLACES = ["/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/bin", "/usr/bin"]


def program(name):
    """The newest installed PostgreSQL's program of this name."""
    found = [path for place in PLACES for path in pathlib.Path("/").glob(place.lstrip("/") + "/" + name)]
    if not found:
        raise SystemExit(f"demo: {name} was not found; run: make setup")

    def version(path):
        return max((int(part) for part in path.parts if part.isdigit()), default=0)

    return str(max(found, key=version))


class Target:
    """A cluster in a folder under /tmp, whose path is short enough for a socket's name.

    PostgreSQL refuses root: then it runs as the user `postgres`, who owns the folder.
    """

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=TARGET_PREFIX))
        self.server = None
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self):
        # setpriv's pdeathsig: SIGINT, a fast shutdown, when this process dies however it may.
        self.prefix = ["setpriv", "--pdeathsig", "INT"]
        user = "postgres" if os.geteuid() == 0 else None
        if user:
            shutil.chown(self.folder, user, user)
            self.prefix += ["--reuid", user, "--regid", user, "--clear-groups"]
        data = self.folder / "data"
        self.run("initdb", "--auth=trust", "--username=demo", "--encoding=UTF8", "--locale=C.UTF-8", "-D", data)
        log = open(self.folder / "log", "wb")
        self.server = subprocess.Popen(
            [*self.prefix, program("postgres"), "-D", data, "-k", self.folder, "-c", "listen_addresses="],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
        self.wait_until_ready()
        # The loader owns its database and is nobody's superuser.
        self.query("create role loader login", database="postgres")
        self.query("create database warehouse owner loader", database="postgres")
        self.query("create schema mart authorization loader")

    def run(self, name, *arguments):
        done = subprocess.run(
            [*self.prefix, program(name), *map(str, arguments)], cwd="/", capture_output=True, text=True
        )
        if done.returncode != 0:
            raise SystemExit(f"demo: {name} of the target failed: {done.stderr.strip()}")

    def wait_until_ready(self):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self.server.poll() is not None:
                break
            ready = [program("psql"), "-X", "-q", self.url("demo", "postgres"), "-c", "select 1"]
            if subprocess.run(ready, capture_output=True).returncode == 0:
                return
            time.sleep(0.05)
        raise SystemExit("demo: the target did not start:\n" + (self.folder / "log").read_text())

    def url(self, user="loader", database="warehouse"):
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def query(self, sql, database="warehouse"):
        """One statement as the cluster's owner."""
        command = [program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", self.url("demo", database), "-c", sql]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def __exit__(self, *_):
        if self.server and self.server.poll() is None:
            self.server.send_signal(2)
            try:
                self.server.wait(timeout=15)
            except subprocess.TimeoutExpired:
                self.server.send_signal(3)  # immediate: it belongs to nobody after this
                self.server.wait(timeout=15)
        shutil.rmtree(self.folder, ignore_errors=True)
