"""A real Grid Engine on this machine: one host, everything in a folder of its own.

As a script it runs a command inside such a cluster and stops it again:

    python tests/cluster/sge.py snakemake --workflow-profile profiles/sge

It needs root, and Debian's packages (`PACKAGES`); `install` fetches them.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PACKAGES = ("gridengine-client", "gridengine-exec", "gridengine-master")
DAEMONS = ("sge_qmaster", "sge_execd")
SHARED = Path("/usr/share/gridengine")

#: Memory is counted and limited; without it nothing would be.
MEMORY = "h_vmem h_vmem MEMORY <= YES YES 1000M 0"

HOST = """\
hostname localhost
load_scaling NONE
complex_values h_vmem={memory}M
user_lists NONE
xuser_lists NONE
projects NONE
xprojects NONE
usage_scaling NONE
report_variables NONE
"""


def missing() -> list[str]:
    """Daemons that are not installed."""
    return [daemon for daemon in DAEMONS if not shutil.which(daemon, path=_path())]


def install() -> None:
    """Install the Debian packages; their services are not started."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", *PACKAGES]):
        subprocess.run(
            ["apt-get", "-qq", *arguments],
            env=environment,
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )


class GridEngine:
    """The cluster, from `with` to its end; `environment` is what its commands need."""

    def __init__(self, slots: int = 4, memory: int = 6000):
        self.slots, self.memory = slots, memory
        self.daemons: dict[str, subprocess.Popen] = {}

    @property
    def environment(self) -> dict[str, str]:
        return {
            "SGE_ROOT": str(self.folder),
            "SGE_CELL": "default",
            "SGE_QMASTER_PORT": str(self.ports[0]),
            "SGE_EXECD_PORT": str(self.ports[1]),
            "SGE_ND": "1",  # daemons stay in the foreground
            "PATH": _path(),
        }

    def __enter__(self) -> "GridEngine":
        self.folder = Path(tempfile.mkdtemp(prefix="sge-"))
        self.folder.chmod(0o755)
        self.ports = _free_ports(2)
        try:
            self._configure()
            for daemon in DAEMONS:
                self._begin(daemon)
            self._admit()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_) -> None:
        self._stop()

    def call(self, *command: str) -> str:
        """The output of one of Grid Engine's commands."""
        return subprocess.run(
            command,
            env=os.environ | self.environment,
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ).stdout

    def waiting(self) -> list[str]:
        """Numbers of the jobs that wait or run."""
        return re.findall(r"^\s*(\d+) ", self.call("qstat", "-u", "*"), re.MULTILINE)

    def restart(self, daemon: str) -> None:
        """Stop a daemon as a crash would, and start it again; its jobs live on."""
        process = self.daemons.pop(daemon)
        process.kill()
        process.wait()
        self._begin(daemon)

    def _configure(self) -> None:
        common, spool = self.folder / "default" / "common", self.folder / "spool"
        for folder in (common, spool / "qmaster" / "job_scripts", spool / "db", spool / "execd"):
            folder.mkdir(parents=True)
        for name in ("bin", "lib", "utilbin", "util"):
            (self.folder / name).symlink_to(Path("/var/lib/gridengine", name).resolve())
        (common / "act_qmaster").write_text(f"{socket.gethostname()}\n")
        # Grid Engine insists on names that resolve both ways; here all are this host's.
        (common / "host_aliases").write_text(f"localhost {socket.gethostname()}\n")
        (common / "bootstrap").write_text(
            "admin_user none\ndefault_domain none\nignore_fqdn true\n"
            "spooling_method berkeleydb\nspooling_lib libspoolb\n"
            f"spooling_params {spool}/db\nbinary_path /usr/sbin\n"
            f"qmaster_spool_dir {spool}/qmaster\nsecurity_mode none\n"
            "listener_threads 2\nworker_threads 2\nscheduler_threads 1\n"
        )
        text = (SHARED / "default-configuration").read_text()
        changes = {"execd_spool_dir": f"{spool}/execd", "min_uid": "0", "min_gid": "0"}
        changes |= {"gid_range": "20000-20100", "reporting_params": "accounting=true"}
        for key, value in changes.items():
            text = re.sub(rf"^{key}\b.*$", f"{key} {value}", text, flags=re.MULTILINE)
        configuration = self.folder / "configuration"
        configuration.write_text(text)
        tools = Path("/usr/lib/gridengine")
        self.call(str(tools / "spoolinit"), "berkeleydb", "libspoolb", f"{spool}/db", "init")
        resources = SHARED / "util" / "resources"
        for what, given in (
            ("configuration", configuration),
            ("complexes", resources / "centry"),
            ("usersets", resources / "usersets"),
            ("managers", "root"),
        ):
            self.call(str(tools / "spooldefaults"), what, str(given))

    def _begin(self, daemon: str) -> None:
        log = (self.folder / f"{daemon}.out").open("a")
        self.daemons[daemon] = subprocess.Popen(
            # They end with the process that starts them, whatever becomes of it.
            ["setpriv", "--pdeathsig=TERM", shutil.which(daemon, path=_path())],
            env=os.environ | self.environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        if daemon == "sge_qmaster":
            self._wait(lambda: self.call("qconf", "-sh"))

    def _admit(self) -> None:
        """Let this host submit jobs and run them in one queue, within its memory, at once."""
        self.call("qconf", "-as", "localhost")
        self._change("-sc", "-Mc", {r"h_vmem .*": MEMORY})
        pace = ("schedule_interval", "flush_submit_sec", "flush_finish_sec")
        times = dict(zip(pace, ("0:0:1", "1", "1"), strict=True))
        self._change(
            "-ssconf", "-Msconf", {rf"{key} .*": f"{key} {value}" for key, value in times.items()}
        )
        self._wait(lambda: "localhost" in self.call("qconf", "-sel"))
        self._file("-Me", HOST.format(memory=self.memory))
        queue = self.call("qconf", "-sq")  # a template
        for key, value in {
            "qname": "batch",
            "hostlist": "localhost",
            "slots": str(self.slots),
            "load_thresholds": "NONE",
            "pe_list": "NONE",
            "shell_start_mode": "unix_behavior",
        }.items():
            queue = re.sub(rf"^{key} .*$", f"{key} {value}", queue, flags=re.MULTILINE)
        self._file("-Aq", queue)
        self._wait(lambda: "lx-amd64" in self.call("qhost", "-h", "localhost"))

    def _change(self, show: str, take: str, changes: Mapping[str, str]) -> None:
        """Replace lines of something that Grid Engine shows and takes back from a file."""
        text = self.call("qconf", show)
        for old, new in changes.items():
            text = re.sub(rf"^{old}$", new, text, flags=re.MULTILINE)
        self._file(take, text)

    def _file(self, option: str, text: str) -> None:
        path = self.folder / "given"
        path.write_text(text)
        self.call("qconf", option, str(path))

    def _wait(self, condition, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(subprocess.CalledProcessError):  # not up yet
                if condition():
                    return
            if time.monotonic() > deadline:
                logs = "\n".join(p.read_text() for p in sorted(self.folder.glob("*.out")))
                raise RuntimeError(f"Grid Engine did not come up:\n{logs}")
            time.sleep(0.2)

    def _stop(self) -> None:
        if len(self.daemons) == len(DAEMONS):
            with contextlib.suppress(subprocess.CalledProcessError, RuntimeError):
                if numbers := self.waiting():
                    self.call("qdel", "-f", *numbers)
                self._wait(lambda: not self.waiting(), 10)
        for process in reversed(self.daemons.values()):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def _path() -> str:
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def main(command: Sequence[str], environment: Mapping[str, str] = os.environ) -> int:
    """Run a command in a cluster; its exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with GridEngine() as engine:
        return subprocess.run(command, env={**environment, **engine.environment}).returncode


if __name__ == "__main__":
    if missing():
        install()
    sys.exit(main(sys.argv[1:]))
