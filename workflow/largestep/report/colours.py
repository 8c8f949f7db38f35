"""A colour for each stepsize: the larger, the darker (which share theirs: configuration.grids).

And the colours of maps.
"""

from collections.abc import Iterable, Mapping

import numpy as np

Colour = tuple[float, float, float]

# From a light end that can be read on white to almost black. The hues keep dark neighbours
# apart; lightness falls all along, for grey prints.
_PATH = ("#f0a030", "#e4602e", "#c8285a", "#84209a", "#1d3f9c", "#07070f")

#: For what has no order, such as methods: Okabe and Ito's, and of more than seven Tol's muted ones.
_FEW = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#8c6d00", "#000000")
_MANY = (
    *("#000000", "#cc6677", "#332288", "#b8a33f", "#117733", "#66b2de", "#882255", "#44aa99"),
    *("#999933", "#aa4499", "#8a8a8a", "#e07b00"),
)


#: Of maps, matplotlib's name: even to the eye, also a colour-blind one, and without greys, which
#: stand for what has no value.
MAP = "viridis"


def palette(values: Iterable[float]) -> dict[float, Colour]:
    """A colour for each of the stepsizes, by rank, at equal steps of perceived difference."""
    ordered = sorted(values)
    count = len(ordered)  # none, where a policy has no stepsize
    places = np.linspace(0, 1, count) if count > 1 else np.full(count, 0.45)
    return dict(zip(ordered, map(tuple, _shades(places).tolist()), strict=True))


def unordered(names: Iterable[str]) -> Mapping[str, str]:
    """A colour for each name; they repeat beyond twelve."""
    names = list(names)
    found = _FEW if len(names) <= len(_FEW) else _MANY
    return {name: found[k % len(found)] for k, name in enumerate(names)}


def _shades(places: np.ndarray) -> np.ndarray:
    """Colours (n, 3) from the light end (0) to the dark one (1)."""
    ends = np.array([[int(c[k : k + 2], 16) / 255 for k in (1, 3, 5)] for c in _PATH])
    fine = np.linspace(0, len(ends) - 1, 50 * (len(ends) - 1) + 1)
    colours = np.stack([np.interp(fine, range(len(ends)), c) for c in ends.T], axis=1)
    lengths = np.linalg.norm(np.diff(_lab(colours), axis=0), axis=1).cumsum()
    along = np.concatenate([[0], lengths]) / lengths[-1]
    return np.stack([np.interp(places, along, channel) for channel in colours.T], axis=1)


def _lab(colours: np.ndarray) -> np.ndarray:
    """CIE L*a*b* (n, 3) of sRGB colours (n, 3): distances are about as they are perceived."""
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    x, y, z = (np.cbrt(linear @ to_xyz.T / np.array([0.9505, 1, 1.089]))).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)
