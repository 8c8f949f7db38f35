"""The claims that are judged, in the order in which the report shows them.

A new claim is a file of its own in this folder and a line here. The tests then say in one line
each what it lacks: examples that satisfy it and wrong ones (`tests/unit/examples.py`), and its
paragraph in docs/claims.md.
"""

from types import ModuleType

from largestep.claims import (
    activations,
    flow,
    held_out,
    held_out_further,
    horizon,
    neurons,
    phases,
    policies,
    rates,
    sharpness,
    stable_phase,
    steepest,
    transition,
)
from largestep.claims.claim import Claim


def claims_of(module: ModuleType) -> list[Claim]:
    """The claims that a module defines, in its order."""
    return [value for value in vars(module).values() if isinstance(value, Claim)]


CLAIMS: tuple[Claim, ...] = (
    *claims_of(phases),
    *claims_of(held_out),
    *claims_of(neurons),
    *claims_of(stable_phase),
    *claims_of(rates),
    *claims_of(transition),
    *claims_of(horizon),
    *claims_of(sharpness),
    *claims_of(flow),
    *claims_of(activations),
    *claims_of(steepest),
    *claims_of(policies),
    *claims_of(held_out_further),
)
