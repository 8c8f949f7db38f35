"""Names of the panels that a figure may show; each is a module of `report.panels`."""

PANELS = (
    "loss",
    "scaled_loss",
    "normalized_margin",
    "test_accuracy",
    "test_accuracy_by_loss",
    "sharpness",
    "flow",
    "neuron_margins",
    "loss_by_evaluations",
    "margin_by_evaluations",
    "evaluations_needed",
    "own_margin",
    "final_margins",
    "alignment",
    "slackness",
    "theory_loss",
    "theory_norm",
    "theory_margin",
    "theory_direction",
    "theory_constant",
    "theory_mean_loss",
    "theory_transition",
    "theory_horizon",
)

#: Those with the stepsize, or what follows from it, on an axis: they tell no curves apart by it.
UNCOLOURED = {"theory_transition", "theory_horizon"}
