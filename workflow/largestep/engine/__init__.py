"""Trains a grid of runs as one tensor program, and measures sharpness and gradient flow.

It knows nothing of files, theory and figures: thresholds reach it as numbers.
"""
