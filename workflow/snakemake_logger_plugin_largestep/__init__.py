"""What Snakemake says while it runs the graph: a line per finished job, what is left, the verdicts.

Snakemake finds this module by its name; the profiles choose it (`logger: largestep`). The whole of
what Snakemake says is in its log file all the same.
"""

from snakemake_logger_plugin_largestep.handler import LogHandler

__all__ = ["LogHandler"]
