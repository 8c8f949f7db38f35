"""The directions of a step: one file each, registered here.

They know nothing of stepsizes. A new one is a class in a file of its own, and its name below.
"""

from typing import Annotated

from pydantic import Field

from largestep.method.directions.gradient import Gradient

AnyDirection = Annotated[Gradient, Field(discriminator="name")]
