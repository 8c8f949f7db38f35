"""A real SLURM on this machine: one node, two pretend GPUs, everything in a folder of its own.

As a script it runs a command inside such a cluster and stops it again:

    python tests/cluster/slurm.py snakemake --workflow-profile profiles/slurm

It needs root, and Debian's packages (`PACKAGES`); `install` fetches them.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PACKAGES = ("munge", "slurm-client", "slurm-wlm-basic-plugins", "slurmctld", "slurmd")
DAEMONS = ("munged", "slurmctld", "slurmd")

#: Snakemake's jobs drop SLURM_CONF on the node, so their srun looks here.
SYSTEM_CONF = Path("/etc/slurm/slurm.conf")

# count-only GPUs are refused, hence the device files; CPUs beyond the machine's need
# config_overrides; without memory as a consumable resource nothing would be limited.
SLURM_CONF = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0
SlurmdParameters=config_overrides
ReturnToService=2
MinJobAge=300
KillWait=2
OverTimeLimit=0
MpiDefault=none
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} Gres=gpu:2
PartitionName=batch Nodes={host} Default=YES MaxTime=INFINITE State=UP
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


def occupied() -> bool:
    """Whether this machine has a SLURM, another test's included; a dead test's traces go."""
    if SYSTEM_CONF.is_symlink():
        owner = SYSTEM_CONF.readlink().with_name("owner")
        if not owner.exists() or not Path("/proc", owner.read_text()).exists():
            SYSTEM_CONF.unlink()
    return SYSTEM_CONF.exists()


class Slurm:
    """The cluster, from `with` to its end; `environment` is what its commands need."""

    def __init__(self, cpus: int = 4, memory: int = 6000):
        self.cpus, self.memory = cpus, memory
        self.daemons: dict[str, subprocess.Popen] = {}

    @property
    def environment(self) -> dict[str, str]:
        return {"SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": _path()}

    def __enter__(self) -> "Slurm":
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        self.folder.chmod(0o755)  # munge's socket must be within everyone's reach
        try:
            self._configure()
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_) -> None:
        self._stop()

    def call(self, *command: str) -> str:
        """The output of one of SLURM's commands."""
        return subprocess.run(
            command, env=os.environ | self.environment, check=True, capture_output=True, text=True
        ).stdout

    def jobs(self) -> list[dict[str, str]]:
        """All jobs that the controller remembers, with the fields of `scontrol show job`."""
        lines = self.call("scontrol", "--oneliner", "show", "job").splitlines()
        pairs = ([word.partition("=") for word in line.split()] for line in lines)
        return [{key: value for key, _, value in line} for line in pairs if line[0][0] == "JobId"]

    def states(self) -> list[str]:
        return [job["JobState"] for job in self.jobs()]

    def restart(self, daemon: str) -> None:
        """Stop a daemon and start it again; its jobs' steps live on."""
        self._end(daemon)
        self._begin(daemon)
        self._wait_for_node()

    def _configure(self) -> None:
        controller_port, node_port = _free_ports(2)
        text = SLURM_CONF.format(
            host=socket.gethostname(),
            folder=self.folder,
            cpus=self.cpus,
            memory=self.memory,
            controller_port=controller_port,
            node_port=node_port,
        )
        (self.folder / "slurm.conf").write_text(text)
        (self.folder / "owner").write_text(str(os.getpid()))
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n")
        for gpu in ("gpu0", "gpu1"):
            subprocess.run(["mknod", self.folder / gpu, "c", "1", "3"], check=True)
        (self.folder / "gres.conf").write_text(f"Name=gpu File={self.folder}/gpu[0-1]\n")
        SYSTEM_CONF.parent.mkdir(exist_ok=True)
        SYSTEM_CONF.symlink_to(self.folder / "slurm.conf")
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)

    def _start(self) -> None:
        for daemon in DAEMONS:
            self._begin(daemon)
        self._wait_for_node()

    def _begin(self, daemon: str) -> None:
        folder, node = str(self.folder), socket.gethostname()
        own = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "log", "pid", "seed")]
        options = {
            "munged": ["--foreground", f"--socket={folder}/munge.socket", *own],
            "slurmctld": ["-D"],
            "slurmd": ["-D", "-N", node],
        }
        log = (self.folder / f"{daemon}.out").open("a")
        self.daemons[daemon] = subprocess.Popen(
            # They end with the process that starts them, whatever becomes of it.
            ["setpriv", "--pdeathsig=TERM", shutil.which(daemon, path=_path()), *options[daemon]],
            env=os.environ | self.environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        if daemon == "munged":
            self._wait(lambda: (self.folder / "munge.socket").exists())

    def _wait_for_node(self) -> None:
        self._wait(lambda: self.call("sinfo", "--noheader", "--format=%t").strip() in _UP)

    def _wait(self, condition, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                if condition():
                    return
            except subprocess.CalledProcessError:
                pass  # the controller is not up yet
            if time.monotonic() > deadline:
                logs = "\n".join(p.read_text() for p in sorted(self.folder.glob("*.[ol][uo][tg]")))
                raise RuntimeError(f"SLURM did not come up:\n{logs}")
            time.sleep(0.1)

    def _end(self, daemon: str) -> None:
        process = self.daemons.pop(daemon)
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _stop(self) -> None:
        if len(self.daemons) == len(DAEMONS):
            self._cancel_all()
        for daemon in reversed(DAEMONS):
            if daemon in self.daemons:
                self._end(daemon)
        if SYSTEM_CONF.is_symlink() and SYSTEM_CONF.readlink().parent == self.folder:
            SYSTEM_CONF.unlink()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _cancel_all(self) -> None:
        try:
            self.call("scancel", "--user=root", "--signal=KILL", "--full")
            self.call("scancel", "--user=root")
            self._wait(lambda: not self.call("squeue", "--noheader"), 10)
        except (subprocess.CalledProcessError, RuntimeError):
            pass  # the daemons end anyway


_UP = ("idle", "mix", "alloc")


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
    with Slurm() as slurm:
        return subprocess.run(command, env={**environment, **slurm.environment}).returncode


if __name__ == "__main__":
    if missing():
        install()
    sys.exit(main(sys.argv[1:]))
