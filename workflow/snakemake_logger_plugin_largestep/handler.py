"""Snakemake's events become lines on the screen."""

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from snakemake.common import NOTHING_TO_BE_DONE_MSG
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from largestep.common.durations import duration
from largestep.common.errors import UserError
from largestep.configuration import plain
from snakemake_logger_plugin_largestep import words
from snakemake_logger_plugin_largestep.screen import Screen, bar
from snakemake_logger_plugin_largestep.training import Training, read

#: Seconds between two looks at how far the training is: on a terminal, elsewhere.
_OFTEN, _SELDOM = 0.5, 60.0


@dataclass
class Job:
    """A running job; every rule with a message has a log, too."""

    title: str
    logs: list[str]
    begun: float
    cause: str = ""  # of its failure, where a cluster's plugin says one

    @property
    def progress(self) -> Path:
        return Path(self.logs[0]).with_suffix(".progress")

    def __str__(self) -> str:
        share = read(self.begun, self.progress)
        return self.title + (f" ({share:.0%})" if share else "")


def _unexplained(jobs: Iterable[Job]) -> list[str]:
    """Of jobs that were killed, say: their logs are empty, and nothing else names them."""
    silent = {job.title: job for job in jobs if not words.written(job.logs)}
    return [
        f"{title}: {job.cause or f'ended without a message; see {job.logs[0]}'}"
        for title, job in silent.items()
    ]


class LogHandler(LogHandlerBase):
    """One line per finished job; failures, and the last words of the graph, when all is over.

    The Snakefile tells it two things in the `extra` of a record: `last_words`, to be called for
    the last screen, and `work`, the seconds expected of each train job.
    """

    def __post_init__(self) -> None:
        try:  # before Snakemake's own reader, which takes minutes for a large file and runs tags
            plain.check_command_line(sys.argv[1:])
        except UserError as error:
            sys.exit(str(error))
        settings = self.common_settings
        self.screen = Screen(sys.stdout if settings.stdout else sys.stderr, not settings.nocolor)
        self.running: dict[int, Job] = {}
        self.training: Training | None = None
        self.done = self.total = 0
        self.finished = self.stopping = False
        self.failed: list[Job] = []
        self.failures: list[str] = []
        self.last_words: Callable[[], list[str]] = list
        self.log: list[str] = []
        self._events = {
            LogEvent.RUN_INFO: self._planned,
            LogEvent.JOB_INFO: self._begun,
            LogEvent.JOB_FINISHED: self._ended,
            LogEvent.JOB_ERROR: self._failed,
            LogEvent.PROGRESS: self._progressed,
            LogEvent.ERROR: self._error,
            None: self._said,
        }
        self._silent = {
            LogEvent.WORKFLOW_STARTED,
            LogEvent.JOB_STARTED,
            LogEvent.SHELLCMD,
            LogEvent.GROUP_INFO,
            LogEvent.GROUP_ERROR,  # followed by an error of each of its jobs
            LogEvent.RESOURCES_INFO,
        }
        self._listen()
        self._over = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    writes_to_stream = True
    writes_to_file = False
    has_filter = False  # Snakemake's own: --quiet, --verbose
    has_formatter = False  # Snakemake's own, for what is not handled here
    needs_rulegraph = False

    def emit(self, record: logging.LogRecord) -> None:
        try:
            event = getattr(record, "event", None)
            if event in self._events:
                self._events[event](record)
            elif event not in self._silent or self.common_settings.verbose:
                self.screen.write(self.format(record))
            self._show()
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """The last screen: what the graph says of its results, where the log is, errors."""
        if not self._over.is_set():
            self._over.set()
            self.screen.status("")
            done = self.finished and not self.common_settings.dryrun
            log = [f"{'log':<12}{path}" for path in self.log]
            for line in [*(self.last_words() if done else []), *log]:
                self.screen.write(line)
            if self.stopping:
                self.screen.write("Stopped; the next run goes on from here.")
            silent = [] if self.stopping else _unexplained(self.failed)
            for message in [] if done else [*silent, *self.failures]:  # done: when tried again
                self.screen.write(message, error=True)
        super().close()

    def _listen(self) -> None:
        """Notice Ctrl-C: where a job dies of it first, Snakemake tells of that alone."""
        handler = signal.getsignal(signal.SIGINT)

        def stop(*arguments):
            self.stopping = True
            return handler(*arguments)

        if callable(handler) and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, stop)

    # Events

    def _planned(self, record: logging.LogRecord) -> None:
        if not (self.total and self.common_settings.dryrun):  # which says it twice
            self.total = sum(n for rule, n in record.stats.items() if rule not in ("all", "total"))
            self.screen.write(words.plan(record.stats))

    def _begun(self, record: logging.LogRecord) -> None:
        if self.common_settings.dryrun and record.rule_msg:
            self.screen.write(f"{record.rule_msg}: {words.reason(record.reason)}")
        elif record.rule_msg:  # all but the target
            job = Job(record.rule_msg, record.log, time.time())
            self.running[record.jobid] = job
            if self.training:
                self.training.start(record.jobid, job.progress)

    def _ended(self, record: logging.LogRecord) -> None:
        if self.training:
            self.training.end(record.job_id)
        if job := self.running.pop(record.job_id, None):
            self.done += 1
            found = words.result(job.logs)
            self._line(f"{self.done}/{self.total}", job, f": {found}" if found else "")

    def _failed(self, record: logging.LogRecord) -> None:
        if self.training:
            self.training.end(record.jobid, done=False)
        if job := self.running.pop(record.jobid, None):
            job.cause = words.cause(getattr(record, "rule_msg", None))
            self.failed.append(job)
            failed = words.written(job.logs)  # else by Ctrl-C, which Snakemake may hear of later
            self._line("failed" if failed else "stopped", job, "", error=failed)

    def _line(self, mark: str, job: Job, found: str, error: bool = False) -> None:
        width = max(6, 2 * len(str(self.total)) + 1)
        took = duration(time.time() - job.begun)
        self.screen.write(f"{mark:>{width}}  {took:>11}  {job.title}{found}", error)

    def _progressed(self, record: logging.LogRecord) -> None:
        self.finished = record.done == record.total

    def _error(self, record: logging.LogRecord) -> None:
        if not words.repeats_a_failure(record.msg):
            self.failures.append(record.msg)

    def _said(self, record: logging.LogRecord) -> None:
        if work := getattr(record, "work", None):
            self.training = Training(work)
        self.last_words = getattr(record, "last_words", self.last_words)
        message = self.format(record) or ""
        if logs := words.logs_of(message):
            self.log = logs
        elif number := words.submitted(message):
            self.screen.write(f"Submitted: job {number}")
        elif words.says_something(message):
            self.stopping |= message.startswith(words.STOPPING)
            self.finished |= message == NOTHING_TO_BE_DONE_MSG
            if record.levelno >= logging.ERROR:
                self.failures.append(message)
            else:
                self.screen.write(message)

    # What is going on

    def _watch(self) -> None:
        while not self._over.wait(_OFTEN if self.screen.terminal else _SELDOM):
            if self.screen.terminal:
                self._show()
            elif self.training and self.training.active:
                self.screen.write(self._status())

    def _show(self) -> None:
        if self.screen.terminal and not self._over.is_set():
            self.screen.status(self._status() if self.running else "")

    def _status(self) -> str:
        parts = []
        if self.training and self.training.active:
            share, left = self.training.share, self.training.left
            wait = f", about {duration(left)} left" if left is not None else ""
            parts.append(f"{bar(share)} {share:.0%} of training{wait}")
        parts.append(f"{self.done}/{self.total} jobs")
        return "; ".join([*parts, *map(str, list(self.running.values()))])
