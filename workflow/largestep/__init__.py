"""Large stepsize gradient descent on two-layer networks; docs/engine.md shows it from Python."""

from importlib import import_module

_PUBLIC = {
    "train": "interactive",
    "Experiment": "configuration.experiment",
    **dict.fromkeys(("XOR", "FivePoints", "Margin"), "data.points"),
    **dict.fromkeys(("Digits", "MNIST"), "data.digits"),
    **dict.fromkeys(("CIFAR10",), "data.cifar10"),
    **dict.fromkeys(("ImageFolder",), "data.folder"),
    **dict.fromkeys(("TwoLayer", "TwoLayerBoth", "MLP", "Gated"), "method.models"),
    **dict.fromkeys(("Softplus", "LeakySoftplus", "GELU", "LeakyGELU"), "method.activations"),
    **dict.fromkeys(("SiLU", "LeakySiLU", "ReLU", "LeakyReLU"), "method.activations"),
    **dict.fromkeys(("HuberizedReLU", "LeakyHuberizedReLU"), "method.activations"),
    **dict.fromkeys(("Logistic", "Exponential"), "method.losses"),
    **dict.fromkeys(("Gradient", "Sign", "Coordinate", "Adam", "Nesterov"), "method.directions"),
    **dict.fromkeys(("Constant", "InverseSqrt", "Logarithmic"), "method.policies"),
    **dict.fromkeys(("LossNormalized", "GradientNormalized", "Polyak"), "method.policies"),
    **dict.fromkeys(("Armijo", "LossBased", "EdgeOfStability"), "method.policies"),
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str):
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return __all__
