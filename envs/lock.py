"""Write envs/lock.txt: the pins of constraints.txt that a set-up installs, with their hashes.

A lock beside the constraints, since hashes among pip's constraints would bind everything that a
set-up may install: the CUDA libraries of Linux's default torch, and optional extras. They are left
out here; torch's metadata pins the former. Needs uv; run it in .venv after changing a pin.
"""

import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).parent

#: PyTorch's own CPU builds of the pinned torch, which its package index lists but PyPI does not.
OTHER_BUILDS = {"torch": ("6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b",)}


def closure(*given: str) -> set[str]:
    """Names of the installed distributions that requirements bring along."""
    found, waiting = set(), [Requirement(each) for each in given]
    while waiting:
        requirement = waiting.pop()
        name, extras = canonicalize_name(requirement.name), {"", *requirement.extras}
        try:
            needs = [Requirement(line) for line in requires(name) or ()]
        except PackageNotFoundError:  # of another platform
            continue
        wanted = [r for r in needs if _applies(r, extras)]
        if name not in found or requirement.extras:
            found.add(name)
            waiting += [r for r in wanted if canonicalize_name(r.name) not in found or r.extras]
    return found


def _applies(requirement: Requirement, extras: set[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in extras)


def pins(text: str) -> dict[str, str]:
    """The lines with an exact version, by the name of what they pin."""
    lines = (line.rstrip(" \\") for line in text.splitlines())
    return {canonicalize_name(line.partition("==")[0]): line for line in lines if "==" in line}


def chosen() -> dict[str, str]:
    """Of the constraints, those that a set-up installs."""
    pinned = pins((HERE / "constraints.txt").read_text())
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text())
    tests = project["project"]["optional-dependencies"]["test"]
    needed = (HERE / "requirements.in").read_text().splitlines()
    given = [line for line in (*needed, *tests, "setuptools") if not line.startswith("#")]
    return {name: pinned[name] for name in sorted(closure(*given) & pinned.keys())}


def main() -> None:
    pinned = chosen()
    command = ["uv", "pip", "compile", "--quiet", "--no-deps", "--universal", "--no-header"]
    options = ["--no-annotate", "--generate-hashes", "-"]
    process = subprocess.run(
        [*command, *options], input="\n".join(pinned.values()), stdout=subprocess.PIPE, text=True
    )
    if process.returncode:
        sys.exit(process.returncode)
    text = process.stdout
    for name, hashes in OTHER_BUILDS.items():
        more = "".join(f"    --hash=sha256:{each} \\\n" for each in hashes)
        pin = f"{pinned[name]} \\\n"
        text = text.replace(pin, pin + more)
    head = "# Written by envs/lock.py from constraints.txt: what pip checks in a set-up.\n"
    (HERE / "lock.txt").write_text(head + text)


if __name__ == "__main__":
    main()
