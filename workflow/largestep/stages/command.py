"""What the commands of all stages share: one line for a user's error, the log, the lock."""

import argparse
import contextlib
import json
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from largestep.common import locks
from largestep.common.errors import Damaged, UserError
from largestep.results import provenance


def main(
    run: Callable[[argparse.Namespace], None],
    parser: argparse.ArgumentParser,
    reads: Sequence[str] = (),
    writes: Sequence[str] = (),
    says: Callable[[argparse.Namespace], str] = lambda arguments: "",
) -> None:
    """Parse the command line and run.

    reads and writes name the options that hold input and output files. With --log, the log ends
    as the record of where the outputs come from, or as the reason why there are none; and jobs
    with the same log wait for each other, so that a job orphaned by a crash cannot write last.
    says: the result in a few words, for the record. A mistake of the user's, or of the machine's
    files, is exit code 1 and one line: in the log, which Snakemake's run repeats at its end, or on
    stderr where there is none.
    """
    parser.add_argument("--log", type=Path, help="the outputs' provenance, or what went wrong")
    parser.add_argument("--code", default="", help="fingerprint of the code, for the log")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        try:
            if arguments.log:
                lock = arguments.log.with_name(f".{arguments.log.name}.lock")
                stack.enter_context(locks.acquire(lock))
                arguments.log.unlink(missing_ok=True)
            run(arguments)
            if arguments.log:
                stage = Path(sys.argv[0]).stem
                given = {name: _plain(value) for name, value in vars(arguments).items()}
                files = [_paths(arguments, names) for names in (reads, writes)]
                found = provenance.record(stage, given, *files) | {"result": says(arguments)}
                arguments.log.write_text(json.dumps(found, indent=1) + "\n")
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


def _paths(arguments: argparse.Namespace, names: Sequence[str]) -> Iterator[Path]:
    for name in names:
        value = getattr(arguments, name)
        yield from value if isinstance(value, list) else [value]


def _plain(value):
    return [str(entry) for entry in value] if isinstance(value, list) else str(value)


def _fail(message: str, log: Path | None) -> None:
    with contextlib.suppress(OSError):  # the log's own folder may be what failed
        if log:
            log.write_text(message + "\n", errors="replace")
            sys.exit(1)
    sys.exit(message)
