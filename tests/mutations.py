"""Turn each comparison of the claims round, one at a time: the claims' tests must notice.

python tests/mutations.py [module ...]   prints the comparisons that no test notices; exit code 1
if there are any. Some minutes; every child is a fork that has the libraries already.
"""

import ast
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from importlib.abc import MetaPathFinder
from importlib.machinery import SourceFileLoader
from importlib.util import spec_from_loader
from pathlib import Path

ROOT = Path(__file__).parents[1]
CLAIMS = ROOT / "workflow/largestep/claims"
UNIT = ROOT / "tests/unit"
#: These hold no comparison of a claim.
EXEMPT = {"__init__", "registered", "summary"}

#: Modules without claims, and those whose claims show first what they do.
SERVES = {"trend": ["rates"], "statistics": ["phases", "held_out", "transition"]}

OPPOSITE = {
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
SWAPPED = {"at_most": "at_least", "at_least": "at_most"}


def comparisons(tree: ast.AST) -> list[ast.AST]:
    """Compared pairs, and calls of at_most and at_least."""
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        or (isinstance(node, ast.Call) and getattr(node.func, "id", "") in SWAPPED)
    ]


def mutants(path: Path) -> Iterator[tuple[str, ast.Module]]:
    """Each comparison's place and text, and the module with it turned round."""
    source = path.read_text()
    for k in range(len(comparisons(ast.parse(source)))):
        tree = ast.parse(source)
        node = comparisons(tree)[k]
        words = f"{path.name}:{node.lineno}: {ast.unparse(node)}"
        if isinstance(node, ast.Compare):
            node.ops[0] = OPPOSITE[type(node.ops[0])]()
        else:
            node.func.id = SWAPPED[node.func.id]
        yield words, ast.fix_missing_locations(tree)


class Mutated(MetaPathFinder, SourceFileLoader):
    """Imports one module from a changed tree."""

    def __init__(self, module: str, path: Path, tree: ast.Module):
        SourceFileLoader.__init__(self, module, str(path))
        self.tree = tree

    def find_spec(self, name, path=None, target=None):
        return spec_from_loader(name, self) if name == self.name else None

    def get_code(self, name):
        return compile(self.tree, self.path, "exec")


def start(path: Path, tree: ast.Module, true_frames: dict) -> int:
    """A fork that exits with 1 if an example or a test notices the module as in `tree`.

    The examples come first: they are quicker than pytest.
    """
    if not (child := os.fork()):
        sys.meta_path.insert(0, Mutated(f"largestep.claims.{path.stem}", path, tree))
        try:
            os._exit(int(examples_differ(claims_of(path), true_frames) or tests_fail(path)))
        except Exception:
            os._exit(1)
    return child


def claims_of(path: Path) -> list[str]:
    """The ids that a module defines, or those that it serves; none where it serves all."""
    lines = [
        line
        for name in SERVES.get(path.stem, [path.stem])
        for line in (CLAIMS / f"{name}.py").read_text().splitlines()
    ]
    return [line.split('"')[1] for line in lines if line.startswith('    id="')]


def examples_differ(only: list[str], true_frames: dict) -> bool:
    import examples
    import true_runs

    from largestep.claims.registered import CLAIMS
    from largestep.claims.verdicts import Verdict, overall

    true_runs.frames = true_frames.__getitem__
    examples.load()
    for claim in CLAIMS:
        if claim.about_runs and (not only or claim.id in only):

            def verdicts(study, claim=claim):
                return [finding.verdict for finding in claim.check(study)]

            for slack in (0.002, 0.3):
                if set(verdicts(examples.EXAMPLES[claim.id](slack))) != {Verdict.HOLDS}:
                    return True
                if Verdict.VIOLATED not in verdicts(examples.EXAMPLES[claim.id](-slack)):
                    return True
            for make in examples.WRONG[claim.id].values():
                for size in (0.02, 1.0):
                    found = verdicts(make(size))
                    if not found or overall(Counter(found)) is Verdict.HOLDS:
                        return True
    return False


def tests_fail(path: Path) -> bool:
    import pytest

    files, options = ["test_claims.py", "test_claims_beyond.py"], []
    if path.stem == "ledger":
        files, options = ["test_claims_ledger.py"], ["-k", "not stage and not printed"]
    with Path(os.devnull).open("w") as nothing, redirect_stdout(nothing), redirect_stderr(nothing):
        options += ["-x", "-q", "-n0", "-pno:cacheprovider", f"--rootdir={ROOT}"]
        return pytest.main([*options, *(str(UNIT / name) for name in files)]) == 1


def true_frames() -> dict:
    """The true runs, trained once; and the claims forgotten again, for the forks to change."""
    import true_runs

    found = {name: true_runs.frames(name) for name in ("xor", "margin")}
    for name in list(sys.modules):
        if name.startswith(("largestep.claims", "constructed", "true_runs", "examples")):
            del sys.modules[name]
    return found


def main(names: list[str]) -> int:
    # So that forks need not import them.
    import hypothesis  # noqa: F401
    import matplotlib.figure  # noqa: F401
    import pytest  # noqa: F401
    import scipy.optimize  # noqa: F401
    import torch  # noqa: F401

    sys.path[:0] = [str(UNIT), str(ROOT / "workflow")]
    frames = true_frames()
    paths = [path for path in sorted(CLAIMS.glob("*.py")) if path.stem not in EXEMPT]
    paths = [path for path in paths if not names or path.stem in names]
    waiting = [(path, *mutant) for path in paths for mutant in mutants(path)]
    running, missed, total = {}, 0, len(waiting)
    while waiting or running:
        while waiting and len(running) < (os.cpu_count() or 1):
            path, words, tree = waiting.pop()
            running[start(path, tree, frames)] = words
        child, status = os.wait()
        words = running.pop(child)
        if os.waitstatus_to_exitcode(status) == 0:
            missed += 1
            print(f"not noticed: {words}", flush=True)
    print(f"{total - missed} of {total} comparisons are noticed when turned round")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
