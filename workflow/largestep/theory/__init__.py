"""Thresholds, bounds and limits of the paper's theorems, each with its hypotheses.

It knows nothing of files, runs and figures.
"""
