"""The stepsize policies: one file each, registered here.

They know nothing of directions. A new one is a class in a file of its own, and its name below.
"""

from typing import Annotated

from pydantic import Field

from largestep.method.policies.constant import Constant
from largestep.method.policies.inverse_sqrt import InverseSqrt

AnyPolicy = Annotated[Constant | InverseSqrt, Field(discriminator="name")]
