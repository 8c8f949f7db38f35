"""The constants that the theory takes from the activations."""

import math
from collections.abc import Iterator

from largestep.claims.claim import claim
from largestep.claims.verdicts import Finding, at_most
from largestep.method.activations import ALL, Activation
from largestep.method.activations.constants import Constants


def measured(activation: Activation) -> Constants:
    """The constants as extremes over a grid of spacing 1e-3 on [-60, 60].

    A smooth extreme is missed by at most spacing^2 / 8 times a derivative of order one, 1e-7 here;
    limits at infinity are reached, to rounding, at the ends.
    """
    import torch

    spacing = 1e-3
    z = torch.arange(-60_000, 60_001, dtype=torch.float64) * spacing
    value, slope = activation.value_and_slope(z)
    return Constants(
        kappa=(value - slope * z).abs().max().item(),
        lip=slope.abs().max().item(),
        alpha=slope.min().item(),
        curvature=(slope.diff() / spacing).abs().max().item(),
    )


@claim(
    id="near-homogeneity",
    statement="|phi(z) - phi'(z) z| <= kappa, alpha <= phi' , |phi'| <= Lip and |phi''| <= B, with "
    "the constants that the theorems use, for every activation; none can be smaller.",
    origin="derived",
    source="paper, near-homogeneity; constants derived",
    quantity="largest difference between a constant and its extreme over a fine grid",
    tolerance="1e-6: the grid misses an extreme by 1e-7, times derivatives of order one",
    panels=(),
    about_runs=False,
)
def near_homogeneity() -> Iterator[Finding]:
    for activation in (kind.model_validate({"name": _name(kind)}) for kind in ALL):
        yield deviation(activation, activation.constants())


def deviation(activation: Activation, stated: Constants) -> Finding:
    """Compare constants with what a fine grid shows."""
    found = measured(activation)
    pairs = {
        name: abs(value - getattr(found, name))
        for name, value in vars(stated).items()
        if math.isfinite(value)  # phi'' of a function with a kink has no bound
    }
    worst = max(pairs, key=pairs.get)
    return at_most(pairs[worst], 1e-6, note=f"{worst} of {activation.label}", runs=0)


def _name(kind: type[Activation]) -> str:
    return kind.model_fields["name"].annotation.__args__[0]
