"""From trained runs to tables: the run store, the tables' columns, provenance, reference numbers.

It knows nothing of Snakemake, claims and figures.
"""
