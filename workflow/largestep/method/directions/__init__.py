"""The directions of a step: one file each, registered here.

They know nothing of stepsizes. A new one is a class in a file of its own, and its name below.
"""

from typing import Annotated

from pydantic import Field

from largestep.method.directions.adam import Adam
from largestep.method.directions.coordinate import Coordinate
from largestep.method.directions.gradient import Gradient
from largestep.method.directions.nesterov import Nesterov
from largestep.method.directions.sign import Sign

AnyDirection = Annotated[
    Gradient | Sign | Coordinate | Adam | Nesterov,
    Field(discriminator="name"),
]
