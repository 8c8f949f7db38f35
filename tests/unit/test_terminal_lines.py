"""The parts of the terminal's output: short lines, a status line, how long the training takes."""

import io
import json

import pytest
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.tests import TestLogHandlerBase

from largestep.graph import last_words
from largestep.stages.progress import Progress
from snakemake_logger_plugin_largestep import LogHandler, words
from snakemake_logger_plugin_largestep.screen import LONGEST, Screen, bar
from snakemake_logger_plugin_largestep.training import Training


class TestPlugin(TestLogHandlerBase):
    """Snakemake's own tests of a logger plugin."""

    __test__ = True

    def get_log_handler_cls(self):
        return LogHandler

    def get_log_handler_settings(self):
        return None

    def run(self, capsys, tmp_path, *, again: bool) -> str:
        """A job that is killed, and succeeds when tried again, or does not."""
        handler = self._create_handler()

        def send(event, **given) -> None:
            handler.emit(self._create_event_record(event, **given))

        job = {"jobid": 1, "rule_msg": "Training", "log": [str(tmp_path / "x.log")]}
        send(LogEvent.RUN_INFO, stats={"train": 1, "all": 1, "total": 2})
        for _ in range(2 if again else 1):
            send(LogEvent.JOB_INFO, **job)
            send(LogEvent.JOB_ERROR, jobid=1)
        if again:
            send(LogEvent.JOB_INFO, **job)
            send(LogEvent.JOB_FINISHED, job_id=1)
            send(LogEvent.PROGRESS, done=2, total=2)
        handler.close()
        handler.close()
        return capsys.readouterr().err

    def test_a_job_that_was_killed_is_named_once_at_the_end(self, capsys, tmp_path):
        last = f"Training: ended without a message; see {tmp_path}/x.log"
        said = self.run(capsys, tmp_path, again=False)
        assert said.splitlines()[-1] == last and said.count(last) == 1

    def test_a_job_that_succeeds_when_tried_again_is_no_error(self, capsys, tmp_path):
        said = self.run(capsys, tmp_path, again=True).splitlines()
        assert [line.split()[0] for line in said] == ["1", "stopped", "stopped", "1/1"]


SUBMITTED = {
    "Job 3 has been submitted with SLURM jobid 17 (log: /x/17.log).": "17",
    "Job ab-1_c has been submitted with SLURM jobid 8 (log: /x/8.log).": "8",
    "Submitted job 3 with external jobid '17'.": "17",
    "Submitted group job 0b1-2c with external jobid '4'.": "4",
    "Submitted array job with Snakemake IDs 1,2 and SLURM job ID 9. The individual": "9",
    "Job 3 has been lost": "",
}


@pytest.mark.parametrize("message", SUBMITTED)
def test_a_submission_is_its_number(message):
    assert words.submitted(message) == SUBMITTED[message]


def test_a_refused_submission_is_one_line():
    refused = "SLURM sbatch failed. The error message was 'a\nb'.\n    sbatch call:\n  sbatch --x\n"
    assert words.cause(refused) == "SLURM sbatch failed. The error message was 'a b'."
    assert words.cause(None) == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def seen(stream: io.StringIO) -> list[str]:
    """What stands on a terminal: of each line, what was written after it was last cleared."""
    return [line.rpartition("\r\x1b[2K")[2] for line in stream.getvalue().split("\n")]


def test_lines_scroll_above_one_status_line(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    stream = Terminal()
    screen = Screen(stream, colours=False)
    screen.status("half done")
    screen.write("first\nsecond")
    screen.status("x" * 100)
    assert seen(stream) == ["first", "second", "x" * 36 + "..."]
    screen.status("")
    screen.write("last", error=True)
    assert seen(stream) == ["first", "second", "last", ""]


def test_a_pipe_gets_no_status_no_colour_and_no_long_line():
    stream = io.StringIO()
    screen = Screen(stream)
    screen.status("half done")
    screen.write("y" * 1000, error=True)
    assert stream.getvalue() == "y" * (LONGEST - 3) + "...\n"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colours_are_left_out_where_they_are_not_wanted(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    stream = Terminal()
    screen = Screen(stream)
    screen.write("failed", error=True)
    assert stream.getvalue() == "failed\n"
    screen.status("half done")
    assert ("half done" in stream.getvalue()) is (name == "NO_COLOR")


def test_a_terminal_of_another_encoding_gets_question_marks():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    Screen(stream).write("\N{GREEK SMALL LETTER ETA} = 20")
    assert raw.getvalue() == b"? = 20\n"


@pytest.mark.parametrize(("share", "full"), [(0, 0), (0.5, 6), (1, 12), (1.7, 12), (-1, 0)])
def test_a_bar_has_one_width(share, full):
    assert bar(share) == "[" + "#" * full + "-" * (12 - full) + "]"


def test_time_left_follows_the_rate_so_far(tmp_path):
    now = [1e9]
    training = Training({1: 10.0, 2: 30.0}, clock=lambda: now[0])
    assert training.left is None and not training.active
    progress = tmp_path / "seed=0.progress"
    training.start(1)
    training.start(2, progress)
    now[0] += 20
    training.end(1)
    assert training.active and training.share == pytest.approx(0.25)
    assert training.left == pytest.approx(60)
    progress.write_text("50 100\n")  # of the second job
    assert training.share == pytest.approx(0.625)
    progress.unlink()  # as it ends
    assert training.share == pytest.approx(0.625)
    assert training.left == pytest.approx(12)
    now[0] += 12
    training.end(2)
    now[0] += 1000  # not of training
    assert training.share == 1 and training.left == 0 and not training.active


def test_a_failed_job_is_not_done_and_its_old_progress_does_not_count(tmp_path):
    now = [4e9]  # later than the file
    training = Training({1: 10.0}, clock=lambda: now[0])
    progress = tmp_path / "seed=0.progress"
    progress.write_text("99 100\n")
    training.start(1, progress)
    assert training.share == 0
    training.end(1, done=False)
    assert training.share == 0 and not training.active


def test_a_job_says_how_far_it_is_in_a_file_beside_its_log(tmp_path):
    progress = Progress(tmp_path / "seed=0.log", 200)
    progress(50)
    progress(51)  # too soon after the other
    assert (tmp_path / "seed=0.progress").read_text() == "50 200\n"
    Progress(None, 200)(1)
    Progress(tmp_path / "missing" / "seed=0.log", 200)(1)


def test_reasons_count_files_instead_of_naming_them():
    given = (
        "Missing output files: a, b; Input files updated by another job: c; "
        "Params have changed since last execution: before: x, now: y"
    )
    expected = (
        "missing output files (2); input files updated by another job (1); "
        "params have changed since last execution"
    )
    assert words.reason(given) == expected


def test_a_result_comes_from_the_record_of_the_job(tmp_path):
    log = tmp_path / "x.log"
    assert words.result([str(log)]) == ""
    for text, expected in (
        ("no JSON", ""),
        ("[1]", ""),
        ("{}", ""),
        ('{"result": "3 rows"}', "3 rows"),
    ):
        log.write_text(text)
        assert words.result([str(log)]) == expected


def test_last_words_tell_verdicts_by_reason_and_only_files_that_are_there(tmp_path):
    assert last_words.of(tmp_path) == []
    verdicts = ["holds"] * 3 + ["violated"] + ["inconclusive"] * 5 + ["holds where decided"]
    claims = [
        {"id": f"c{i}", "verdict": verdict, "reason": "too short" if i < 8 else "other"}
        | {"origin": "paper" if i else "derived", "violated_variants": ["wide"] * (i == 2)}
        for i, verdict in enumerate(verdicts)
    ]
    (tmp_path / "claims.json").write_text(json.dumps(claims))
    assert last_words.of(tmp_path) == [
        "derived     1 of 1 claim holds (0 violated, 0 inconclusive)",
        "paper       3 of 9 claims hold, 1 of them where decided (1 violated, 5 inconclusive)",
        "variants    violate c2",
        "  violated: c3: too short",
        "  inconclusive: c4, c5, c6 and 1 more: too short",
        "  inconclusive: c8: other",
        f"claims      {tmp_path}/claims.json",
    ]
    (tmp_path / "claims.json").write_text("[{}]")
    assert last_words.of(tmp_path) == [f"claims      {tmp_path}/claims.json"]
