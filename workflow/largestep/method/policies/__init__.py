"""The stepsize policies: one file each, registered here.

They know nothing of directions. A new one is a class in a file of its own, and its name below.
"""

from typing import Annotated

from pydantic import Field

from largestep.method.policies.armijo import Armijo, LossBased
from largestep.method.policies.constant import Constant
from largestep.method.policies.edge_of_stability import EdgeOfStability
from largestep.method.policies.inverse_sqrt import InverseSqrt
from largestep.method.policies.logarithmic import Logarithmic
from largestep.method.policies.normalized import GradientNormalized, LossNormalized
from largestep.method.policies.polyak import Polyak

AnyPolicy = Annotated[
    Constant
    | InverseSqrt
    | Logarithmic
    | LossNormalized
    | GradientNormalized
    | Polyak
    | Armijo
    | LossBased
    | EdgeOfStability,
    Field(discriminator="name"),
]
