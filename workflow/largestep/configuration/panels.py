"""Names of the panels that a figure may show; each is a module of `report.panels`."""

PANELS = (
    "loss",
    "scaled_loss",
    "normalized_margin",
    "test_accuracy",
    "sharpness",
    "flow",
    "neuron_margins",
    "theory_loss",
    "theory_norm",
    "theory_margin",
    "theory_direction",
    "theory_constant",
    "theory_mean_loss",
    "theory_transition",
    "theory_horizon",
)
