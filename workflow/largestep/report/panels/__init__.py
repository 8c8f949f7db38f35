"""Panels of a figure, one module each; `configuration.panels` registers their names."""
