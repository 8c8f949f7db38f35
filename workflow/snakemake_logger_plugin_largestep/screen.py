"""Where the lines go: a terminal has a status line below them, a pipe or a file has none."""

import os
import shutil
import threading
from typing import TextIO

#: No line is longer, wherever it goes.
LONGEST = 200

_CLEAR = "\r\x1b[2K"
_RED, _PLAIN = "\x1b[31m", "\x1b[0m"


class Screen:
    """Lines above, and on a terminal one status line that is rewritten in place below them."""

    def __init__(self, stream: TextIO, colours: bool = True):
        self.stream = stream
        self.terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
        self.colours = colours and self.terminal and not os.environ.get("NO_COLOR")
        self._status = ""
        self._lock = threading.Lock()

    def write(self, text: str, error: bool = False) -> None:
        """Lines that stay; each is cut where it is too long."""
        lines = [cut(line, LONGEST) for line in text.splitlines() or [""]]
        if error and self.colours:
            lines = [f"{_RED}{line}{_PLAIN}" for line in lines]
        with self._lock:
            self._put("".join(f"{line}\n" for line in lines), self._status)

    def status(self, text: str) -> None:
        """Replace the status line; on anything but a terminal there is none."""
        with self._lock:
            self._put("", text)

    def _put(self, lines: str, status: str) -> None:
        if self.terminal:
            lines = (_CLEAR if self._status else "") + lines
            status = cut(status, self._columns() - 1)
            self._status, lines = status, lines + status
        try:
            self.stream.write(lines)
        except UnicodeEncodeError:  # a terminal of another encoding
            self.stream.write(lines.encode("ascii", "replace").decode())
        self.stream.flush()

    def _columns(self) -> int:
        """Of the terminal that the lines go to, which need not be that of standard output."""
        try:
            return os.get_terminal_size(self.stream.fileno()).columns or 80
        except (OSError, ValueError):
            return shutil.get_terminal_size().columns


def cut(line: str, length: int) -> str:
    return line if len(line) <= length else line[: length - 3] + "..."


def bar(share: float, width: int = 12) -> str:
    """A share of one as blocks: [###---------]."""
    full = round(min(max(share, 0.0), 1.0) * width)
    return f"[{'#' * full}{'-' * (width - full)}]"
