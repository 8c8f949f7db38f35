"""The standard normal distribution for compiled code, in the precision of its argument."""

import math

import numpy as np
from numba import types
from numba.extending import overload

from largestep.method.compiled import exp, exp_single, fma, polynomial, singles

# (a + 4) M(a) for Mills' ratio M, the tail beyond a >= 0 over the density at a, as a polynomial in
# t = (a - 4) / (a + 4): interpolated at Chebyshev nodes with 50 digits (ours); the error is below
# a unit in the last place.
_MILLS = (
    8.53083886026053e-10,
    -3.0073979672398766e-10,
    -9.35134044482434e-09,
    -1.4722998923746307e-09,
    5.3711037651589576e-08,
    4.473060051450323e-08,
    -2.1774195022039326e-07,
    -4.00493929251171e-07,
    6.829633831673466e-07,
    2.568755311229722e-06,
    -1.5787665654677373e-06,
    -1.4843277679080294e-05,
    1.7963971214040778e-06,
    8.809573121072337e-05,
    -4.783264259417208e-06,
    -0.0005792693046478719,
    0.0003342446162328441,
    0.004087855681200072,
    -0.008722295274260125,
    -0.018900450861711257,
    0.15139176231244347,
    -0.4675409629983325,
    0.9704095548675884,
    -1.5237709108199835,
    1.8932190633084853,
)
_MILLS_SINGLE = singles(
    5.30978673e-05,
    -4.33917984e-06,
    -0.000540363323,
    0.000335019359,
    0.00406585159,
    -0.00872295269,
    -0.018894255,
    0.151391946,
    -0.46754172,
    0.970409538,
    -1.52377088,
    1.89321906,
)

# In halves: a loop over all of them would not be unrolled, and then not be a vector loop.
_EVEN, _ODD = _MILLS[::2], _MILLS[1::2]

_PEAK = 1 / math.sqrt(2 * math.pi)
_PEAK_SINGLE, _HALF, _ONE, _FOUR, _EIGHT = singles(_PEAK, 0.5, 1, 4, 8)


def normal(z):
    """Phi(z) and its density, both to some 1 + z^2 units in the last place."""
    return _normal_single(z) if isinstance(z, np.float32) else _normal_double(z)


@overload(normal, jit_options={"error_model": "numpy", "forceinline": True})
def _normal(z):
    return _normal_single if z == types.float32 else _normal_double


def _normal_double(z):
    density = _PEAK * exp(-0.5 * z * z)
    inverse = 1 / (abs(z) + 4)
    t = 1 - 8 * inverse
    mills = fma(t, polynomial(_ODD, t * t), polynomial(_EVEN, t * t))
    tail = density * inverse * mills
    return (1 - tail if z > 0 else tail), density


def _normal_single(z):
    density = _PEAK_SINGLE * exp_single(-_HALF * z * z)
    inverse = _ONE / (abs(z) + _FOUR)
    tail = density * inverse * polynomial(_MILLS_SINGLE, _ONE - _EIGHT * inverse)
    return (_ONE - tail if z > 0 else tail), density
