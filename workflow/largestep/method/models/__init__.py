"""The networks: one file each, registered here.

They know nothing of how runs lie in memory (`engine.layouts`). A new one is a class in a file of
its own, and its name below.
"""

from typing import Annotated

from pydantic import Field

from largestep.method.models.gated import Gated
from largestep.method.models.mlp import MLP
from largestep.method.models.two_layer import TwoLayer
from largestep.method.models.two_layer_both import TwoLayerBoth

AnyModel = Annotated[TwoLayer | TwoLayerBoth | MLP | Gated, Field(discriminator="kind")]
