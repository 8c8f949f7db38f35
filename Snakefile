"""Large stepsize gradient descent on two-layer networks: the paper as one graph.

data sets -> gradient descent over stepsize grids -> metrics -> figures -> report.
Without --configfile it runs config/demo.yaml; config/README.md explains every key.
"""

import sys
import time

from snakemake.utils import min_version

from largestep.base import UserError
from largestep.fingerprint import fingerprint
from largestep.graph import load

min_version("9.0")

try:
    graph = load(config, workflow.configfiles)
except UserError as error:
    sys.exit(str(error))


report: "workflow/report/workflow.rst"


include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/metrics.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        graph.targets,


onstart:
    begun = time.time()
    try:
        held = graph.lock()
    except UserError as error:
        sys.exit(str(error))


onerror:
    for failure in graph.failures(since=begun):
        print(failure, file=sys.stderr)
