"""A cluster of one host that lives in a folder of its own, from `with` to its end.

What SLURM and Grid Engine share here: Debian's packages, daemons, commands. Both need root.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

#: Where daemons lie, too.
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"


class Cluster:
    """`environment` is what its commands need."""

    title: str
    packages: tuple[str, ...]
    daemons: tuple[str, ...]
    errors = subprocess.PIPE  # where its commands' errors go

    def __init__(self, cpus: int = 4, memory: int = 6000):
        self.cpus, self.memory = cpus, memory
        self.running: dict[str, subprocess.Popen] = {}

    # What a kind of cluster says

    @property
    def environment(self) -> dict[str, str]:
        raise NotImplementedError

    def configure(self) -> None:
        """Write into the folder, before any daemon runs."""
        raise NotImplementedError

    def command(self, daemon: str) -> list[str]:
        """That keeps a daemon in the foreground."""
        raise NotImplementedError

    def wait_for(self, daemon: str) -> None:
        """Until it answers."""

    def admit(self) -> None:
        """What is to be said to the daemons before there are jobs."""

    def cancel_all(self) -> None:
        raise NotImplementedError

    # Packages

    @classmethod
    def missing(cls) -> list[str]:
        """Daemons that are not installed."""
        return [daemon for daemon in cls.daemons if not shutil.which(daemon, path=PATH)]

    @classmethod
    def install(cls) -> None:
        """Install the Debian packages; their services are not started."""
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        packages = ["install", "--yes", "--no-install-recommends", *cls.packages]
        for arguments in (["update"], packages):
            subprocess.run(
                ["apt-get", "-qq", *arguments],
                env=environment,
                check=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )

    # Its life

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.title.replace(' ', '-').lower()}-"))
        self.folder.chmod(0o755)  # munge's socket must be within everyone's reach
        try:
            self.configure()
            for daemon in self.daemons:
                self.begin(daemon)
            self.admit()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def begin(self, daemon: str) -> None:
        log = (self.folder / f"{daemon}.out").open("a")
        self.running[daemon] = subprocess.Popen(
            # They end with the process that starts them, whatever becomes of it.
            ["setpriv", "--pdeathsig=TERM", *self.command(daemon)],
            env=os.environ | self.environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        self.wait_for(daemon)

    def restart(self, daemon: str, crash: bool = False) -> None:
        """Stop a daemon, as a crash would or not, and start it again; its jobs live on."""
        if crash:
            self.running[daemon].kill()
        self._end(daemon)
        self.begin(daemon)

    def stop(self) -> None:
        if len(self.running) == len(self.daemons):
            with contextlib.suppress(subprocess.CalledProcessError, RuntimeError):
                self.cancel_all()
        for daemon in reversed(self.daemons):
            if daemon in self.running:
                self._end(daemon)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, daemon: str) -> None:
        process = self.running.pop(daemon)
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    # Its commands

    def call(self, *command: str) -> str:
        """The output of one of them."""
        return subprocess.run(
            command,
            env=os.environ | self.environment,
            check=True,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        ).stdout

    def wait(self, condition: Callable[[], object], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(subprocess.CalledProcessError):  # not up yet
                if condition():
                    return
            if time.monotonic() > deadline:
                logs = [*self.folder.glob("*.out"), *self.folder.glob("*.log")]
                said = "\n".join(path.read_text() for path in sorted(logs))
                raise RuntimeError(f"{self.title} did not come up:\n{said}")
            time.sleep(0.1)


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def main(kind: type[Cluster], command: Sequence[str]) -> int:
    """Run a command in a cluster; its exit code."""
    if kind.missing():
        kind.install()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with kind() as cluster:
        return subprocess.run(command, env=os.environ | cluster.environment).returncode
