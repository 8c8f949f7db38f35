"""Line searches that remember how long the last step was."""

from typing import ClassVar, Literal

from pydantic import Field

from largestep.method.policies.policy import Search


class _Remembering(Search):
    """The first try is `growth` times the last step that was kept; at first, `stepsize`."""

    stepsize: float | None = Field(None, gt=0, description="the first step that is tried")
    shrink: float = Field(0.5, gt=0, lt=1, description="factor after a try that is taken back")
    growth: float = Field(2.0, ge=1, description="factor after a step that was kept")

    def start(self, like):
        return {"first": like + self.stepsize}

    def next(self, point, state):
        return state["first"].clone()

    def shorter(self, eta):
        return eta * self.shrink

    def accepted(self, eta, state):
        # A run that no step improves has stopped; it tries its last step again.
        state["first"].copy_((eta * self.growth).where(eta > 0, state["first"]))


class Armijo(_Remembering):
    """Backtracking: L(w - eta u) <= L(w) - c eta <grad L(w), u> (Kenneweg et al. for Adam)."""

    name: Literal["armijo"] = "armijo"
    words: ClassVar[str] = "Armijo"
    c: float = Field(0.1, gt=0, lt=1, description="share of the first-order decrease to ask for")

    def accepts(self, point, eta, slope, loss):
        return loss <= point.loss - self.c * eta * slope


class LossBased(_Remembering):
    """Longer after a step that lowers the loss; one that does not is undone (Lyu and Li)."""

    name: Literal["loss_based"] = "loss_based"
    words: ClassVar[str] = "loss-based"

    def accepts(self, point, eta, slope, loss):
        return loss < point.loss
