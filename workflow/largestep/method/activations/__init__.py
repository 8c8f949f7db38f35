"""The activations: one file each, registered here.

They know nothing of networks. A new one is a class in a file of its own, and its name below.
"""

from typing import Annotated, get_args

from pydantic import Field

from largestep.method.activations.activation import Activation
from largestep.method.activations.gelu import GELU, LeakyGELU
from largestep.method.activations.huberized_relu import HuberizedReLU, LeakyHuberizedReLU
from largestep.method.activations.relu import LeakyReLU, ReLU
from largestep.method.activations.silu import LeakySiLU, SiLU
from largestep.method.activations.softplus import LeakySoftplus, Softplus

AnyActivation = Annotated[
    Softplus
    | LeakySoftplus
    | GELU
    | LeakyGELU
    | SiLU
    | LeakySiLU
    | HuberizedReLU
    | LeakyHuberizedReLU
    | ReLU
    | LeakyReLU,
    Field(discriminator="name"),
]

ALL: tuple[type[Activation], ...] = get_args(get_args(AnyActivation)[0])
