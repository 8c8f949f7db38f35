"""The parts of a method, formulas and constants only: activations and models.

It knows nothing of files, devices and memory layouts.
"""
