"""Large stepsize gradient descent on two-layer networks: the paper as one graph.

data sets -> gradient descent over stepsize grids -> metrics -> figures -> report.
Without --configfile it runs config/demo.yaml; config/README.md explains every key.
"""

import shlex
import sys
from functools import partial
from pathlib import Path

from snakemake.utils import min_version

from largestep.common.errors import UserError
from largestep.common.fingerprint import fingerprint
from largestep.graph import last_words, slurm_queue, termination
from largestep.graph.dag import load

min_version("9.27")  # priorities that are functions

if {"{", "}"}.intersection(str(workflow.basedir)):
    sys.exit(f"{workflow.basedir}: braces in a path are wildcards to Snakemake; rename the folder")

try:
    graph = load(config, workflow.configfiles)
    if workflow.nodes is None:  # not on a cluster, whose nodes may have what this machine lacks
        graph.check_devices()
    if workflow.is_main_process:  # not one job of a run
        for damaged in graph.heal(delete=not workflow.output_settings.dryrun):
            print(damaged, file=sys.stderr)
except UserError as error:
    sys.exit(str(error))

if not workflow.is_main_process:  # the jobs of a group that share a submission run in turn
    workflow.register_resource("turn", 1)

# Jobs run with the Python that runs Snakemake, also where its environment is not activated;
# conda's environments have a Python of their own, which lacks this package.
if workflow.deployment_settings.deployment_method:
    own = f"PYTHONPATH={shlex.quote(str(Path(workflow.basedir, 'workflow')))}"
else:
    own = f"PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH"
shell.prefix(f"set -euo pipefail; export {own}; ")


logger.info(None, extra={"last_words": partial(last_words.of, Path(graph.results))})


report: "workflow/report/workflow.rst"


include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/sharpness.smk"
include: "workflow/rules/flow.smk"
include: "workflow/rules/geometry.smk"
include: "workflow/rules/atlas.smk"
include: "workflow/rules/metrics.smk"
include: "workflow/rules/claims.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/note.smk"


rule all:
    default_target: True
    input:
        graph.targets,


onstart:
    termination.handle_apart()
    try:
        graph.begin()
        if workflow.executor_plugin.name == "slurm":
            slurm_queue.check(job for job in workflow.dag.needrun_jobs() if not job.is_local)
    except UserError as error:
        sys.exit(str(error))
    if workflow.nodes is not None:  # on a cluster
        slurm_queue.wait_for_earlier()
    logger.info(None, extra={"work": graph.requests.work(workflow.dag.needrun_jobs())})


onerror:
    for failure in graph.failures():
        logger.error(failure)
