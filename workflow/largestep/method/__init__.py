"""The parts of a method: losses, activations, models, directions, stepsize policies.

Formulas and constants only; it knows nothing of files, devices and memory layouts.
"""
