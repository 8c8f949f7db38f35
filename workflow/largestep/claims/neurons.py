"""Figure 4: a network can classify with neurons none of which does."""

from largestep.claims.claim import claim_per_run, papers_method
from largestep.claims.evidence import Run, Study
from largestep.claims.verdicts import Finding, at_least, at_most, undecided


def is_figure_4(experiment) -> bool:
    return experiment.dataset.source == "five_points" and experiment.train.record.neurons


@claim_per_run(
    id="fig4-neurons",
    statement="Each neuron's own margin is negative at every step.",
    origin="paper",
    source="paper, Figure 4",
    quantity="largest margin of a single neuron at a recorded step",
    tolerance="none",
    panels=("neuron_margins",),
    reads=is_figure_4,
    needs=(papers_method,),
)
def neurons_misclassify(study: Study, run: Run) -> Finding:
    own = study.neurons
    own = own[(own["seed"] == run.seed) & (own["stepsize"] == run.stepsize)]
    margins = own[own["step"].isin(run.rows.index)].set_index("step")["neuron_margin"].dropna()
    if margins.empty:
        return undecided("no recorded step has a margin of a neuron", "more steps")
    return at_most(margins.max(), 0, step=int(margins.idxmax()))


@claim_per_run(
    id="fig4-network",
    statement="Meanwhile the network's normalized margin increases, from negative to positive.",
    origin="paper",
    source="paper, Figure 4",
    quantity="normalized margin at the last step, less its largest decrease between recorded steps",
    tolerance="none: a margin that has decreased by more than it ends above 0 has not increased",
    panels=("neuron_margins", "normalized_margin"),
    reads=is_figure_4,
    needs=(papers_method,),
)
def network_classifies(study: Study, run: Run) -> Finding:
    margins = run.rows["normalized_margin"].dropna()
    if margins.empty or margins.iloc[0] >= 0:
        return undecided("the initial margin is not negative", "other initial weights")
    decrease = (margins.cummax() - margins).max()
    return at_least(margins.iloc[-1] - decrease, 0, step=run.last_step)
