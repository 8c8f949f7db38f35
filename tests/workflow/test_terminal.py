"""What a person, a pipe and a log file get to read of a run, on a pseudo-terminal too."""

import fcntl
import os
import pty
import re
import signal
import struct
import sys
import termios
import threading
import time
from collections import Counter

import pytest
from project import jobs

#: The jobs after a change of a figure's title.
REDRAWN = {"figure": 1, "report": 1, "note": 1}

CLEAR = "\r\x1b[2K"


def on_a_terminal(project, *options: str, columns: int = 120, until=None) -> tuple[int, str]:
    """Run Snakemake as a person does: exit code, and all that the terminal was sent.

    until: Ctrl-C is typed when this has been said.
    """
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(project.root)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored where the tests run by nohup
        command = [sys.executable, "-m", "snakemake", "--configfile", "tiny.yaml", *options]
        sized = {"COLUMNS", "LINES"}  # which would count instead of the terminal's own
        environment = {k: v for k, v in project.environment.items() if k not in sized}
        os.execve(sys.executable, command, environment)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    watchdog = threading.Timer(600, os.kill, (pid, signal.SIGKILL))
    watchdog.start()
    said = b""
    while True:
        try:
            more = os.read(terminal, 65536)
        except OSError:  # its other end is closed
            break
        said += more
        if until and until.encode() in said:
            time.sleep(1)
            os.write(terminal, b"\x03")
            until = None
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    watchdog.cancel()
    return code, said.decode()


def remains(said: str) -> list[str]:
    """The lines that stay on the terminal."""
    lines = [line.rpartition(CLEAR)[2] for line in said.replace("\r\n", "\n").split("\n")]
    return [line for line in lines if line.strip()]


def check_lines(lines: list[str]) -> None:
    assert all(len(line) <= 200 for line in lines)
    twice = [line for line, count in Counter(lines).items() if count > 1]
    assert not twice


JOB = re.compile(r" *(\d+)/(\d+) +[\d.]+ (?:s|min \d+ s)  (\w.*)")


def retitle(project, name="xor", title="Another") -> None:
    """A change after which one figure, the report and the note are made again."""
    project.content["experiments"][name]["figure"] = {"title": title}
    project.configure()


def test_a_pipe_gets_a_line_per_job_the_verdicts_and_where_everything_is(rerun):
    retitle(rerun)
    process = rerun.run("--cores", "2")
    lines = process.stdout.splitlines()
    assert process.returncode == 0, process.stdout
    check_lines(lines)
    assert "\x1b" not in process.stdout and "\r" not in process.stdout
    assert jobs(process.stdout) == REDRAWN
    done = [match for line in lines if (match := JOB.fullmatch(line))]
    assert [match[1] for match in done] == ["1", "2", "3"]
    assert {match[2] for match in done} == {"3"}
    assert {match[3].partition(":")[0] for match in done} == {
        "Drawing xor",
        "Writing the report",
        "Writing the note",
    }
    at = next(i for i, line in enumerate(lines) if "claims hold" in line)
    last = [line.split()[0] for line in lines[at:] if not line.startswith("  ")]
    assert last[:3] == ["paper", "derived", "extension"]
    assert last[3:] == ["report", "note", "figures", "claims", "tables", "log"]
    log = rerun.root / lines[-1].split()[1]
    whole = log.read_text()
    assert "rule all:" in whole and "results/tiny/report.html" in whole


def test_a_second_run_says_what_there_is_already(finished):
    process = finished.run("--cores", "2")
    lines = process.stdout.splitlines()
    assert any(line.startswith("Nothing to be done") for line in lines)
    assert "report      results/tiny/report.html" in lines
    check_lines(lines)


def test_a_dry_run_tells_each_job_once_and_why_and_changes_nothing(rerun):
    retitle(rerun)
    process = rerun.run("-n")
    lines = process.stdout.splitlines()
    assert process.returncode == 0
    check_lines(lines)
    (drawn,) = [line for line in lines if line.startswith("Drawing xor: ")]
    assert "params have changed since last execution" in drawn, lines
    assert any(line.startswith("Writing the report: ") for line in lines)
    assert jobs(process.stdout) == REDRAWN
    assert "claims hold" not in process.stdout


def test_a_terminal_shows_what_is_left_and_keeps_one_line_per_job(project):
    project.content["experiments"] = {"xor": project.content["experiments"]["xor"]}
    project.content["experiments"]["xor"]["train"]["seeds"] = [0]
    project.configure()
    code, said = on_a_terminal(project, "--cores", "1", "--until", "train", columns=60)
    assert code == 0
    lines = remains(said)
    check_lines(lines)
    done = [match[3] for line in lines if (match := JOB.fullmatch(line))]
    assert done[0] == "Data set xor: 4 samples, dimension 2"
    assert done[1].startswith("Training xor, seed 0: 2 runs, ")
    status = [part.partition("\r")[0] for part in said.split(CLEAR)]
    assert any("0% of training; 1/2 jobs; Training xor" in line for line in status)
    assert all(len(line) < 60 for line in status if "/2 jobs" in line and "\n" not in line)


def break_the_note(project, how: str) -> None:
    stage = "workflow/largestep/stages/note.py"
    project.edit(stage, "    contents = note", f"    {how}\n    contents = note")


def test_errors_come_last_and_once_and_name_the_job(rerun):
    break_the_note(
        rerun, 'from largestep.common.errors import UserError; raise UserError("no note today")'
    )
    code, said = on_a_terminal(rerun, "--cores", "2")
    assert code == 1
    lines = [re.sub(r"\x1b\[\d+m", "", line) for line in remains(said)]
    check_lines(lines)
    assert lines[-1] == "no note today" and said.count("no note today") == 1
    assert any(re.fullmatch(r" *failed +\S+ s  Writing the note", line) for line in lines)
    assert lines[-2].startswith("log ") and "claims hold" not in said
    assert "Traceback" not in said and "CalledProcessError" not in said


@pytest.mark.slow
def test_a_job_that_is_killed_is_named_at_the_end(rerun):
    break_the_note(rerun, '__import__("os").kill(__import__("os").getpid(), 9)')
    process = rerun.run("--cores", "1")
    assert process.returncode == 1
    last = process.stdout.splitlines()[-1]
    assert last == "Writing the note: ended without a message; see results/tiny/logs/note.log"


def test_ctrl_c_ends_at_once_without_a_traceback(project):
    project.content["experiments"] = {"digits": project.content["experiments"]["digits"]}
    project.content["experiments"]["digits"]["train"]["steps"] = 10**6
    project.configure()
    code, said = on_a_terminal(project, "--cores", "1", "--until", "train", until="Training digits")
    assert code != 0
    assert "Traceback" not in said
    lines = remains(said)
    assert any(re.fullmatch(r" *stopped .* Training digits, seed 0", line) for line in lines)
    assert lines[-1] == "Stopped; the next run goes on from here."
    check_lines(lines)


def test_another_logger_still_works(finished):
    """The plugin is a choice of the profile; what the Snakefile tells it is silent elsewhere."""
    process = finished.run("--cores", "1", "--workflow-profile", "none")
    assert process.returncode == 0 and "Nothing to be done" in process.stdout
    assert "None" not in process.stdout.splitlines()


@pytest.mark.slow
def test_snakemakes_own_report_of_a_finished_run(finished, tmp_path):
    process = finished.run("--cores", "1", "--report", str(tmp_path / "report.zip"))
    assert process.returncode == 0, process.stdout
    check_lines(process.stdout.splitlines())
