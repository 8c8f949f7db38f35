"""Panels of a figure: one module each, registered by its name here."""

PANELS = ("loss", "scaled_loss", "normalized_margin", "test_accuracy", "neuron_margins")
