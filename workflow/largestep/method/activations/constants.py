"""The constants of an activation that the theory needs, as docs/claims.md uses them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Constants:
    """kappa = sup |phi - phi' z|, lip = sup |phi'|, alpha = inf phi', curvature B = sup |phi''|."""

    kappa: float
    lip: float
    alpha: float
    curvature: float

    def leaky(self, c: float) -> "Constants":
        """Constants of c z + (1 - c) phi(z); the linear part has kappa = B = 0."""
        low = c + (1 - c) * self.alpha
        high = c + (1 - c) * self.lip
        return Constants(
            (1 - c) * self.kappa, max(abs(low), abs(high)), low, (1 - c) * self.curvature
        )
