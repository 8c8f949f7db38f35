"""A real Grid Engine on this machine: one host, everything in a folder of its own.

As a script it runs a command inside such a cluster and stops it again:

    python tests/cluster/sge.py snakemake --workflow-profile profiles/sge

It needs root, and Debian's packages, which it fetches.
"""

import re
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from cluster import PATH, Cluster, free_ports, main

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


class GridEngine(Cluster):
    """Its memory is of addresses, far more than the machine has."""

    title = "Grid Engine"
    packages = ("gridengine-client", "gridengine-exec", "gridengine-master")
    daemons = ("sge_qmaster", "sge_execd")
    errors = subprocess.STDOUT

    @property
    def environment(self) -> dict[str, str]:
        return {
            "SGE_ROOT": str(self.folder),
            "SGE_CELL": "default",
            "SGE_QMASTER_PORT": str(self.ports[0]),
            "SGE_EXECD_PORT": str(self.ports[1]),
            "SGE_ND": "1",  # daemons stay in the foreground
            "PATH": PATH,
        }

    def __init__(self, memory: int = 40_000):
        super().__init__(memory=memory)

    def waiting(self) -> list[str]:
        """Numbers of the jobs that wait or run."""
        return re.findall(r"^\s*(\d+) ", self.call("qstat", "-u", "*"), re.MULTILINE)

    def configure(self) -> None:
        self.ports = free_ports(2)
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

    def command(self, daemon: str) -> list[str]:
        return [daemon]

    def wait_for(self, daemon: str) -> None:
        if daemon == "sge_qmaster":
            self.wait(lambda: self.call("qconf", "-sh"))

    def admit(self) -> None:
        """Let this host submit jobs and run them in one queue, within its memory, at once."""
        self.call("qconf", "-as", "localhost")
        self._change("-sc", "-Mc", {r"h_vmem .*": MEMORY})
        pace = ("schedule_interval", "flush_submit_sec", "flush_finish_sec")
        times = dict(zip(pace, ("0:0:1", "1", "1"), strict=True))
        self._change(
            "-ssconf", "-Msconf", {rf"{key} .*": f"{key} {value}" for key, value in times.items()}
        )
        self.wait(lambda: "localhost" in self.call("qconf", "-sel"))
        self._file("-Me", HOST.format(memory=self.memory))
        queue = self.call("qconf", "-sq")  # a template
        for key, value in {
            "qname": "batch",
            "hostlist": "localhost",
            "slots": str(self.cpus),
            "load_thresholds": "NONE",
            "pe_list": "NONE",
            "shell_start_mode": "unix_behavior",
        }.items():
            queue = re.sub(rf"^{key} .*$", f"{key} {value}", queue, flags=re.MULTILINE)
        self._file("-Aq", queue)
        self.wait(lambda: "lx-amd64" in self.call("qhost", "-h", "localhost"))

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

    def cancel_all(self) -> None:
        if numbers := self.waiting():
            self.call("qdel", "-f", *numbers)
        self.wait(lambda: not self.waiting(), 10)


if __name__ == "__main__":
    sys.exit(main(GridEngine, sys.argv[1:]))
