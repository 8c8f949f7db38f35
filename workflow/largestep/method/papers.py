"""The method of the paper's theorems."""

from largestep.method.directions.direction import Direction
from largestep.method.losses.loss import Loss
from largestep.method.policies.policy import Policy


def is_papers(loss: Loss, direction: Direction, policy: Policy) -> bool:
    """Whether it is constant-stepsize gradient descent on the logistic loss."""
    return loss.name == "logistic" and direction.plain and policy.constant
