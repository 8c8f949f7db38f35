"""The dataset stage as the workflow calls it: a process, its files, its one line of complaint."""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from largestep.data import read

PAIR = ["cat", "dog"]


def stage(folder: Path, root: Path, spec: dict, proxy: str = "") -> subprocess.CompletedProcess:
    """Run the stage; downloads can reach nothing but `proxy`."""
    (folder / "out").mkdir(exist_ok=True)
    out = folder / "out" / "x.safetensors"
    command = [sys.executable, "-m", "largestep.stages.dataset", "--spec", json.dumps(spec)]
    command += ["--root", root, "--out", out, "--facts", out.with_suffix(".json")]
    proxies = {"http_proxy": proxy or "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    environment = os.environ | proxies | {"no_proxy": ""}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def assert_one_line(done: subprocess.CompletedProcess, folder: Path, *parts: str) -> None:
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    for part in parts:
        assert part in done.stderr
    assert list((folder / "out").iterdir()) == []


def test_stage_writes_samples_and_facts(tmp_path):
    spec = {"source": "digits", "classes": [3, 8], "n": 10, "preprocessing": ["center"]}
    written = []
    for _ in range(2):
        done = stage(tmp_path, tmp_path / "data", spec)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        files = sorted((tmp_path / "out").iterdir())
        assert [file.name for file in files] == ["x.json", "x.safetensors"]
        written.append([file.read_bytes() for file in files])
    assert written[0] == written[1]

    facts = json.loads(written[0][0])
    assert facts["sha256"] == hashlib.sha256(written[0][1]).hexdigest()
    assert facts["specification"] == spec | {"seed": 0}
    assert sum(facts["counts"]["train"].values()) == facts["specification"]["n"] == 10
    X, y, X_test, y_test = read(tmp_path / "out/x.safetensors")
    assert X.shape == (10, facts["dimension"])
    assert (y_test == 1).sum() == facts["counts"]["test"]["3"]
    np.testing.assert_allclose(X.mean(axis=0), 0, atol=1e-15)
    assert len(X_test) == len(y_test) and set(y) == {1, -1}


def test_mistakes_are_one_line_and_leave_nothing(tmp_path):
    spec = {"source": "digits", "classes": [3, 8], "n": 1000}
    assert_one_line(stage(tmp_path, tmp_path, spec), tmp_path, "n: must be at most 286")

    for split in ("train", "test"):
        for name in PAIR:
            (tmp_path / "pets" / split / name).mkdir(parents=True)
            Image.new("RGB", (2, 2)).save(tmp_path / "pets" / split / name / "1.png")
    (tmp_path / "pets/train/dog/1.png").write_text("not an image")
    spec = {"source": "image_folder", "root": "pets", "classes": PAIR}
    done = stage(tmp_path, tmp_path, spec)
    assert_one_line(done, tmp_path, "pets/train/dog/1.png", "cannot be read as an image")


def test_no_network_is_one_line_and_leaves_nothing(tmp_path):
    root = tmp_path / "data"
    done = stage(tmp_path, root, {"source": "cifar10", "classes": PAIR})
    complaint = f"data: could not download CIFAR10 to {root} (no network?)"
    assert_one_line(done, tmp_path, complaint, "cifar-10-batches-py", "DATA=<folder>")
    assert not root.exists()


@pytest.mark.skipif("DATA" not in os.environ, reason="DATA is not set")
@pytest.mark.parametrize("damage", [False, True])
def test_mnist_downloads_whole_or_not_at_all(tmp_path, damage):
    """torchvision fetches MNIST from a server of ours, which stands in its way as a proxy."""
    raw = Path(os.environ["DATA"]) / "MNIST" / "raw"

    class Mirror(BaseHTTPRequestHandler):
        def do_GET(self):
            name = Path(self.path).name
            content = (raw / name).read_bytes()
            if damage and name.startswith("t10k-labels"):
                content = content[:-1]
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            # torchvision asks twice, and reads no answer the first time
            with contextlib.suppress(ConnectionError):
                self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    root = tmp_path / "data"
    (root / "MNIST" / "raw").mkdir(parents=True)
    present = root / "MNIST" / "raw" / "train-images-idx3-ubyte.gz"
    shutil.copy2(raw / present.name, present)
    try:
        proxy = f"http://127.0.0.1:{server.server_port}"
        done = stage(tmp_path, root, {"source": "mnist", "classes": [0, 1], "n": 10}, proxy)
    finally:
        server.shutdown()

    files = sorted((root / "MNIST" / "raw").iterdir())
    if damage:
        assert_one_line(done, tmp_path, "data: could not download MNIST", "corrupted")
        assert files == [present]
    else:
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert [(file.name, file.read_bytes()) for file in files] == [
            (file.name, file.read_bytes()) for file in sorted(raw.glob("*.gz"))
        ]
        assert present.stat().st_mtime_ns == (raw / present.name).stat().st_mtime_ns
    assert [path.name for path in root.iterdir()] == ["MNIST"]
