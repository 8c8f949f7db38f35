"""What the commands of all stages share: arguments, one line for a user's error, log and lock."""

import argparse
import contextlib
import gc
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from largestep.common import locks
from largestep.common.errors import Damaged, UserError
from largestep.results import damage, provenance


def main(
    run: Callable[[argparse.Namespace], Mapping[str, float] | None],
    parser: argparse.ArgumentParser,
    reads: Sequence[str] = (),
    writes: Sequence[str] = (),
    says: Callable[[argparse.Namespace], str] = lambda arguments: "",
) -> None:
    """Parse the command line and run.

    reads and writes name the options that hold input and output files. Before the run, every
    input is checked against the record of the stage that wrote it, and made again where it
    differs. With --log, the log ends as the record of where the outputs come from, or as the
    reason why there are none; and jobs with the same log wait for each other, so that a job
    orphaned by a crash cannot write last. says: the result in a few words, for the record, which
    has what `run` measured, too: times, say, which would make equal outputs differ. A
    mistake of the user's, or of the machine's files, is exit code 1 and one line: in the log, which
    Snakemake's run repeats at its end, or on stderr where there is none.
    """
    gc.freeze()  # the libraries, which stay: collections pass over them
    gc.enable()
    parser.add_argument("--log", type=Path, help="the outputs' provenance, or what went wrong")
    parser.add_argument("--code", default="", help="fingerprint of the code, for the log")
    arguments = parser.parse_args(list(_expanded(sys.argv[1:])))
    with contextlib.ExitStack() as stack:
        try:
            if arguments.log:
                stack.enter_context(locks.acquire(provenance.lock_of(arguments.log)))
                arguments.log.unlink(missing_ok=True)
            inputs = {path: damage.intact(path) for path in _paths(arguments, reads)}
            measured = run(arguments)
            if arguments.log:
                stage = Path(sys.argv[0]).stem
                given = vars(arguments).items()
                plain = {name: _plain(value) for name, value in given if value is not None}
                found = provenance.record(stage, plain, inputs, _paths(arguments, writes))
                found["result"] = says(arguments)
                if measured:
                    found["measured"] = dict(measured)
                provenance.write(found, arguments.log)
        except Damaged as error:
            error.path.unlink(missing_ok=True)
            _fail(f"{error} and was deleted; the next run makes it again", arguments.log)
        except UserError as error:
            _fail(str(error), arguments.log)
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            _fail(f"{place}{error.strerror or error}", arguments.log)
        except Exception:
            _fail(traceback.format_exc().strip(), arguments.log)
    gc.freeze()  # or Python takes torch apart before it ends, which takes half a second


def _expanded(given: Sequence[str]) -> Iterator[str]:
    """The arguments, with those in the file F, one a line, for @F: of any number and length."""
    for argument in given:
        if argument.startswith("@"):
            yield from Path(argument[1:]).read_text().split("\n")[:-1]
        else:
            yield argument


def _paths(arguments: argparse.Namespace, names: Sequence[str]) -> Iterator[Path]:
    for name in names:
        value = getattr(arguments, name)
        if value is not None:
            yield from value if isinstance(value, list) else [value]


def _plain(value):
    return [str(entry) for entry in value] if isinstance(value, list) else str(value)


def _fail(message: str, log: Path | None) -> None:
    with contextlib.suppress(OSError):  # the log's own folder may be what failed
        if log:
            log.write_text(message + "\n", errors="replace")
            sys.exit(1)
    sys.exit(message)
