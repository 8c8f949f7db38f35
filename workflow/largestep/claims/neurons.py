"""Figure 4: a network can classify with neurons none of which does."""

from largestep.claims.claim import claim_per_run
from largestep.claims.evidence import Run, Study
from largestep.claims.verdicts import Finding, at_least, at_most, undecided


def is_figure_4(experiment) -> bool:
    return experiment.dataset.source == "five_points" and experiment.train.record.neurons


@claim_per_run(
    id="fig4-neurons",
    statement="Each neuron's own margin is negative at every step.",
    source="paper, Figure 4",
    quantity="largest margin of a single neuron at a recorded step",
    tolerance="none",
    panels=("neuron_margins",),
    reads=is_figure_4,
)
def neurons_misclassify(study: Study, run: Run) -> Finding:
    own = study.neurons
    own = own[(own["seed"] == run.seed) & (own["stepsize"] == run.stepsize)]
    margins = own[own["step"].isin(run.rows.index)].set_index("step")["neuron_margin"].dropna()
    return at_most(margins.max(), 0, step=int(margins.idxmax()))


@claim_per_run(
    id="fig4-network",
    statement="Meanwhile the network's normalized margin grows from negative to positive.",
    source="paper, Figure 4",
    quantity="normalized margin at the last step",
    tolerance="none",
    panels=("neuron_margins", "normalized_margin"),
    reads=is_figure_4,
)
def network_classifies(study: Study, run: Run) -> Finding:
    margins = run.rows["normalized_margin"].dropna()
    if margins.iloc[0] >= 0:
        return undecided("the initial margin is not negative; other initial weights would be")
    return at_least(margins.iloc[-1], 0, step=run.last_step)
