"""The storm's own PostgreSQL: a cluster on loopback with the control database and the target, restarted at will."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

# Where Debian, PGDG's packages and others put the server's programs.
PLACES = ["/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/bin", "/usr/bin"]
# What `pg_ctl stop -m MODE` sends.
SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
PATIENCE_SECONDS = 60


class Unreachable(Exception):
    """The database did not answer a statement."""


def program(name):
    """The newest installed PostgreSQL's program of this name."""
    found = [path for place in PLACES for path in pathlib.Path("/").glob(place.lstrip("/") + "/" + name)]
    if not found:
        raise SystemExit(f"storm: {name} was not found; run: make setup")

    def version(path):
        return max((int(part) for part in path.parts if part.isdigit()), default=0)

    return str(max(found, key=version))


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Postgres:
    """A cluster whose postmaster is this process's child. `start` and `restart` belong to the main thread: the server
    ends with the thread that started it, so that nothing is left behind however the storm ends.
    """

    def __init__(self, folder):
        self.folder = folder
        self.data = folder / "data"
        self.port = free_port()
        self.server = None
        # PostgreSQL refuses root: then it runs as the user `postgres`, who owns the folder.
        user = "postgres" if os.geteuid() == 0 else None
        self.prefix = ["setpriv", "--pdeathsig", "INT"]
        if user:
            self.prefix += ["--reuid", user, "--regid", user, "--clear-groups"]
        folder.mkdir()
        if user:
            shutil.chown(folder, user, user)

    def create(self):
        command = [program("initdb"), "--auth=trust", "--username=storm", "--encoding=UTF8", "--locale=C.UTF-8"]
        done = subprocess.run([*self.prefix, *command, "-D", str(self.data)], cwd="/", capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"storm: initdb failed: {done.stderr.strip()}")
        self.start()
        self.sql("create database control", "postgres")
        # The loader owns its database and is nobody's superuser.
        self.sql("create role loader login", "postgres")
        self.sql("create database target owner loader", "postgres")
        self.sql("create schema mart authorization loader", "target")

    def start(self):
        """Starts the server and waits until it answers; tries again while the last one's memory is still held."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if self.server is None or self.server.poll() is not None:
                self.launch()
            if self.answers():
                return
            time.sleep(0.1)
        raise SystemExit(f"storm: PostgreSQL did not start; see {self.folder / 'log'}")

    def launch(self):
        settings = ["listen_addresses=127.0.0.1", f"port={self.port}"]
        settings += ["unix_socket_directories=", "max_connections=300"]
        options = [part for setting in settings for part in ("-c", setting)]
        with open(self.folder / "log", "ab") as log:
            self.server = subprocess.Popen(
                [*self.prefix, program("postgres"), "-D", str(self.data), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
            )

    def stop(self, mode):
        if self.server and self.server.poll() is None:
            self.server.send_signal(SIGNALS[mode])
            try:
                self.server.wait(timeout=PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                self.server.send_signal(SIGNALS["immediate"])
                self.server.wait(timeout=PATIENCE_SECONDS)

    def restart(self, mode):
        self.stop(mode)
        self.start()

    def url(self, database, user="storm"):
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def answers(self):
        try:
            self.sql("select 1", "postgres")
            return True
        except Unreachable:
            return False

    def sql(self, statement, database="control", user="storm"):
        """The rows of one statement as lists of texts; null is the empty text."""
        command = [program("psql"), "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1"]
        try:
            done = subprocess.run(
                [*command, self.url(database, user), "-c", statement], capture_output=True, text=True, timeout=120
            )
        except subprocess.TimeoutExpired:
            raise Unreachable(f"no answer within 120 s: {statement}") from None
        if done.returncode != 0:
            raise Unreachable(f"{done.stderr.strip()}\n  in: {statement}")
        return [line.split("\t") for line in done.stdout.splitlines()]

    def sql_patient(self, statement, database="control"):
        """As `sql`, tried again while the database is away."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return self.sql(statement, database)
            except Unreachable:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
