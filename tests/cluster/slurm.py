"""A real SLURM on this machine: one node, pretend GPUs, everything in a folder of its own.

As a script it runs a command inside such a cluster and stops it again:

    python tests/cluster/slurm.py snakemake --workflow-profile profiles/slurm

It needs root, and Debian's packages, which it fetches.
"""

import os
import socket
import subprocess
import sys
from pathlib import Path

from cluster import PATH, Cluster, free_ports, main

#: Snakemake's jobs drop SLURM_CONF on the node, so their srun looks here.
SYSTEM_CONF = Path("/etc/slurm/slurm.conf")

GPUS = 4

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
EnforcePartLimits=ALL
MinJobAge=300
KillWait=2
OverTimeLimit=0
MpiDefault=none
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} Gres=gpu:{gpus}
PartitionName=batch Nodes={host} Default=YES MaxTime=INFINITE State=UP
PartitionName=theirs Nodes={host} AllowAccounts=theirs MaxTime=INFINITE State=UP
"""

_UP = ("idle", "mix", "alloc")


def occupied() -> bool:
    """Whether this machine has a SLURM, another test's included; a dead test's traces go."""
    if SYSTEM_CONF.is_symlink():
        owner = SYSTEM_CONF.readlink().with_name("owner")
        if not owner.exists() or not Path("/proc", owner.read_text()).exists():
            SYSTEM_CONF.unlink()
    return SYSTEM_CONF.exists()


class Slurm(Cluster):
    title = "SLURM"
    packages = ("munge", "slurm-client", "slurm-wlm-basic-plugins", "slurmctld", "slurmd")
    daemons = ("munged", "slurmctld", "slurmd")

    @property
    def environment(self) -> dict[str, str]:
        return {"SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": PATH}

    def jobs(self) -> list[dict[str, str]]:
        """All jobs that the controller remembers, with the fields of `scontrol show job`."""
        lines = self.call("scontrol", "--oneliner", "show", "job").splitlines()
        pairs = ([word.partition("=") for word in line.split()] for line in lines)
        return [{key: value for key, _, value in line} for line in pairs if line[0][0] == "JobId"]

    def configure(self) -> None:
        controller_port, node_port = free_ports(2)
        text = SLURM_CONF.format(
            host=socket.gethostname(),
            folder=self.folder,
            cpus=self.cpus,
            memory=self.memory,
            gpus=GPUS,
            controller_port=controller_port,
            node_port=node_port,
        )
        (self.folder / "slurm.conf").write_text(text)
        (self.folder / "owner").write_text(str(os.getpid()))
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n")
        for number in range(GPUS):
            subprocess.run(["mknod", self.folder / f"gpu{number}", "c", "1", "3"], check=True)
        devices = f"{self.folder}/gpu[0-{GPUS - 1}]"
        (self.folder / "gres.conf").write_text(f"Name=gpu File={devices}\n")
        SYSTEM_CONF.parent.mkdir(exist_ok=True)
        SYSTEM_CONF.symlink_to(self.folder / "slurm.conf")
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)

    def command(self, daemon: str) -> list[str]:
        folder = self.folder
        own = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "log", "pid", "seed")]
        options = {
            "munged": ["--foreground", f"--socket={folder}/munge.socket", *own],
            "slurmctld": ["-D"],
            "slurmd": ["-D", "-N", socket.gethostname()],
        }
        return [daemon, *options[daemon]]

    def wait_for(self, daemon: str) -> None:
        if daemon == "munged":
            self.wait(lambda: (self.folder / "munge.socket").exists())
        elif daemon == "slurmd":
            self.wait(lambda: self.call("sinfo", "--noheader", "--format=%t").split()[0] in _UP)

    def cancel_all(self) -> None:
        self.call("scancel", "--user=root", "--signal=KILL", "--full")
        self.call("scancel", "--user=root")
        self.wait(lambda: not self.call("squeue", "--noheader"), 10)

    def stop(self) -> None:
        super().stop()
        if SYSTEM_CONF.is_symlink() and SYSTEM_CONF.readlink().parent == self.folder:
            SYSTEM_CONF.unlink()


if __name__ == "__main__":
    sys.exit(main(Slurm, sys.argv[1:]))
