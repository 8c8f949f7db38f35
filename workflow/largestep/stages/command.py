"""What the commands of all stages share: one line for a user's error, and the job's log."""

import argparse
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from largestep.base import UserError


def main(run: Callable[[argparse.Namespace], None], parser: argparse.ArgumentParser) -> None:
    """Parse the command line and run.

    A mistake of the user's, or of the machine's files, becomes one line on stderr and in the
    log, and exit code 1; anything else is our defect, and its traceback goes to both.
    """
    parser.add_argument("--log", type=Path, help="also write messages here")
    arguments = parser.parse_args()
    if arguments.log:
        arguments.log.write_text("")
    try:
        run(arguments)
    except UserError as error:
        _fail(str(error), arguments.log)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _fail(f"{place}{error.strerror or error}", arguments.log)
    except Exception:
        _fail(traceback.format_exc(), arguments.log)


def _fail(message: str, log: Path | None) -> None:
    if log:
        log.write_text(message + "\n")
    sys.exit(message)
