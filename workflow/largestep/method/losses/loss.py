"""What a loss l of the margins q_i = y_i f(w; x_i) is; training minimises its mean."""

from collections.abc import Callable

from largestep.common.part import Named


class Loss(Named):
    """Base of all losses: positive and decreasing in q. Formulas are on float64 tensors."""

    def value_and_slope(self, q):
        """l(q) and -l'(q), elementwise, as new tensors."""
        raise NotImplementedError

    def derivatives(self, q):
        """-dL/dq and d^2 L/dq^2 of the mean L over all q, elementwise: two new tensors."""
        raise NotImplementedError

    def scalar(self) -> Callable | None:
        """Compiled code q -> l(q), -l'(q) of one float64; None where there is none."""
        return None

    @property
    def label(self) -> str:
        return self.described()
