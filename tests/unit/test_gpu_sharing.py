"""Processes side by side spread over the GPUs that they can see; no GPU is needed for that."""

import contextlib
import os
import subprocess
import sys

TAKE = """
import os
from largestep.graph.gpu_sharing import take_one
take_one("auto")
print(os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
input()
"""


def test_jobs_spread_over_gpus_and_free_them_when_they_end(tmp_path):
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "3,GPU-a", "TMPDIR": str(tmp_path)}
    with contextlib.ExitStack() as stack:

        def take() -> tuple[subprocess.Popen, str]:
            process = subprocess.Popen(
                [sys.executable, "-c", TAKE],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process, process.stdout.readline().strip()

        taken = [take() for _ in range(4)]
        assert [gpu for _, gpu in taken] == ["3", "GPU-a", "3", "GPU-a"]
        for process, _ in taken[1:3]:  # killed, not ended in peace
            process.kill()
            process.wait()
        assert [take()[1] for _ in range(3)] == ["GPU-a", "3", "3"]


def test_a_job_with_one_gpu_or_none_keeps_what_it_has(tmp_path):
    for given in ("", "1"):
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": given, "TMPDIR": str(tmp_path)}
        command = [sys.executable, "-c", TAKE]
        found = subprocess.run(command, env=environment, input="\n", capture_output=True, text=True)
        assert found.stdout.strip() == given
