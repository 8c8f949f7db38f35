"""A hash of the code that a stage really uses, so that reruns follow meaning, not bytes.

It covers the syntax trees, without docstrings, of the stage's module and of every module of this
package that it imports, directly or not, and the pinned versions of the libraries that those
import. Exempt are `configuration`, whose values every rule has as parameters, and what cannot
change a result: the command line's frame (log, lock, record), and what it says of progress and
outcome.
"""

import ast
import hashlib
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
PINS = PACKAGE.parents[1] / "envs" / "constraints.txt"

#: Modules that only list parts. What a run uses of them is named by its configuration instead
#: (`Part.modules`), so that a new part changes the fingerprint of nothing that exists.
REGISTRIES = {
    "largestep.data",
    *(f"largestep.method.{kind}" for kind in ("activations", "directions", "losses")),
    *(f"largestep.method.{kind}" for kind in ("models", "policies")),
}

#: Rooms and modules.
EXEMPT = (
    "largestep.configuration",
    "largestep.stages.command",
    "largestep.stages.outcome",
    "largestep.stages.progress",
)

#: Distributions whose name is not that of the module they install.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "sklearn": "scikit-learn",
    "vl_convert": "vl-convert-python",
    "yaml": "pyyaml",
}


def fingerprint(*modules: str) -> str:
    """Fingerprint of modules of this package, such as "stages.train"; `Part.modules` adds those
    of the parts that a configuration chooses."""
    ours, libraries = closure(*(f"largestep.{module}" for module in modules))
    pinned = _pins(PINS)
    digest = hashlib.sha256()
    for module in sorted(ours):
        digest.update(f"{module}\n{_tree(_file(module))}\n".encode())
    for library in sorted(libraries & pinned.keys()):
        digest.update(f"{library}=={pinned[library]}\n".encode())
    return digest.hexdigest()[:16]


def closure(*modules: str, registries: bool = False) -> tuple[set[str], set[str]]:
    """Modules of this package that `modules` use, themselves included, and libraries.

    registries: also all parts that could be chosen, used or not.
    """
    ours, libraries, waiting = set(), set(), list(modules)
    while waiting:
        module = waiting.pop()
        if module in ours or (module in REGISTRIES and not registries):
            continue
        if any(f"{module}.".startswith(f"{exempt}.") for exempt in EXEMPT):
            continue
        ours.add(module)
        for name in _imported(module):
            if name.partition(".")[0] == "largestep":
                waiting.append(name)
            else:
                top = name.partition(".")[0]
                if top not in sys.stdlib_module_names:
                    libraries.add(DISTRIBUTIONS.get(top, top).lower())
    return ours, libraries


@cache
def _tree(path: Path) -> str:
    """The syntax tree as text, without docstrings and positions."""
    tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return ast.dump(tree)


@cache
def _imported(module: str) -> frozenset[str]:
    """Once a process, which asks it for every stage: walking trees is what takes time here."""
    return frozenset(_imports(module))


def _imports(module: str) -> Iterable[str]:
    """Absolute names of the modules that a module imports, at its top or inside functions."""
    path = _file(module)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    if "." in module:
        yield module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*above, *filter(None, [node.module])]) if node.level else node.module
            yield base
            submodules = (f"{base}.{alias.name}" for alias in node.names)
            yield from (name for name in submodules if _file(name) is not None)


@cache
def _file(module: str) -> Path | None:
    """Where a module of this package lies; None for anything else."""
    parts = module.split(".")
    if parts[0] != "largestep":
        return None
    path = PACKAGE.joinpath(*parts[1:])
    if path.is_dir():
        return path / "__init__.py"
    return path.with_suffix(".py") if path.with_suffix(".py").is_file() else None


@cache
def _pins(path: Path) -> dict[str, str]:
    """Versions by distribution name, lower case."""
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    pairs = (line.partition("==") for line in lines if "==" in line)
    return {name.strip().lower(): version.strip() for name, _, version in pairs}
