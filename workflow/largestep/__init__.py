"""Large stepsize gradient descent on two-layer networks, as one reproducible graph."""
