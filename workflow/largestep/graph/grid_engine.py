"""Grid Engine's commands as Snakemake's plugin cluster-generic wants them (profiles/sge).

    python -m largestep.graph.grid_engine submit --memory 900 --minutes 5 <script>
    python -m largestep.graph.grid_engine status <number>

A job writes its exit code beside its output. One that is gone without it was killed: over a limit,
by qdel, or with its node. So no accounting database is needed.
"""

import argparse
import importlib.util
import shlex
import subprocess
import sys
import time
from pathlib import Path

LOGS = Path(".snakemake/sge_logs")

#: MB of addresses that a process has beyond its memory, which h_vmem limits: with a CPU build of
#: torch (measured: 600), and with one that brings CUDA (measured: 3,700 to 4,000).
ADDRESSES, ADDRESSES_CUDA = 2000, 4500

#: Seconds that a shared file system may take to show the exit code of a job that is gone.
LATENCY = 10.0


def submit(arguments: argparse.Namespace) -> str:
    """The number of a job that runs a script with the resources asked for."""
    LOGS.mkdir(parents=True, exist_ok=True)
    limits = {"h_rt": 60 * arguments.minutes, arguments.resource: f"{_megabytes(arguments)}M"}
    if arguments.gpus:
        limits[arguments.gpu_resource] = arguments.gpus
    command = ["qsub", "-terse", "-cwd", "-V", "-S", "/bin/sh", "-N", "largestep", "-j", "yes"]
    command += ["-o", str(LOGS), "-l", ",".join(f"{key}={value}" for key, value in limits.items())]
    if arguments.threads > 1:
        command += ["-pe", arguments.environment, str(arguments.threads)]
    script = shlex.quote(str(arguments.script.resolve()))
    text = f'sh {script}\ncode=$?\necho $code > "{LOGS}/$JOB_ID.exit"\nexit $code\n'
    process = subprocess.run(command, input=text, capture_output=True, text=True)
    if process.returncode:
        sys.exit(" ".join((process.stdout + process.stderr).split()))
    return process.stdout.strip()


def _megabytes(arguments: argparse.Namespace) -> int:
    """What to ask for; Grid Engine counts it for each slot of a job."""
    whole = arguments.memory + (addresses() if arguments.resource == "h_vmem" else 0)
    return -(-whole // arguments.threads)


def addresses() -> int:
    """By the build of torch here, which is not imported for it."""
    torch = importlib.util.find_spec("torch")
    cuda = torch and Path(torch.origin).with_name("lib").joinpath("libtorch_cuda.so").exists()
    return ADDRESSES_CUDA if cuda else ADDRESSES


def status(number: str) -> str:
    """running, success or failed; of a job that was killed, stderr tells."""
    deadline = time.monotonic() + LATENCY
    while True:
        known = subprocess.run(["qstat", "-j", number], capture_output=True, text=True)
        if known.returncode == 0 or "do not exist" not in known.stdout + known.stderr:
            return "running"  # or the master does not answer at the moment
        code = LOGS / f"{number}.exit"
        if code.is_file() and (found := code.read_text().strip()):
            return "success" if found == "0" else "failed"
        if time.monotonic() > deadline:
            reason = "over its time or memory, by qdel, or with its node"
            print(f"Grid Engine's job {number} was killed: {reason}", file=sys.stderr)
            return "failed"
        time.sleep(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command")
    asked = commands.add_parser("submit")
    asked.add_argument("--memory", type=int, required=True, help="MB")
    asked.add_argument("--minutes", type=int, required=True)
    asked.add_argument("--threads", type=int, default=1)
    asked.add_argument("--gpus", type=int, default=0)
    asked.add_argument("--resource", default="h_vmem", help="what limits memory on this cluster")
    asked.add_argument("--gpu-resource", default="gpu", help="what counts GPUs")
    asked.add_argument("--environment", default="smp", help="of several threads on one node")
    asked.add_argument("script", type=Path)
    commands.add_parser("status").add_argument("number")
    arguments = parser.parse_args()
    print(submit(arguments) if arguments.command == "submit" else status(arguments.number))


if __name__ == "__main__":
    main()
