"""The losses: one file each, registered here.

They know nothing of networks. A new one is a class in a file of its own, and its name below.
"""

from typing import Annotated

from pydantic import Field

from largestep.method.losses.exponential import Exponential
from largestep.method.losses.logistic import Logistic

AnyLoss = Annotated[Logistic | Exponential, Field(discriminator="name")]
