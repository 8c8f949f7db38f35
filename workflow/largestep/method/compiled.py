"""Elementary functions for compiled code: IEEE operations in a fixed order.

No library function, no reordered sum, no contraction left to a compiler: equal arguments give
equal bits on every processor and in every lane of a vector unit.
"""

import math

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

compiled = njit(error_model="numpy")


@intrinsic
def fma(context, a, b, c):
    """a b + c, rounded once."""

    def code(context, builder, signature, arguments):
        return builder.fma(*arguments)

    return types.float64(types.float64, types.float64, types.float64), code


@intrinsic
def _power_of_two(context, t):
    """2^k, where k is in the last bits of t = 1.5 * 2^52 + k."""

    def code(context, builder, signature, arguments):
        word = ir.IntType(64)
        bits = builder.shl(builder.bitcast(arguments[0], word), word(52))
        return builder.bitcast(builder.add(bits, word(1023 << 52)), ir.DoubleType())

    return types.float64(types.float64), code


_LN2_HIGH, _LN2_LOW = float.fromhex("0x1.62e42fefa39efp-1"), float.fromhex("0x1.abc9e3b39803fp-56")
_ROUNDER = 1.5 * 2**52
_PER_LN2 = 1 / math.log(2)
_EXP = tuple(1 / math.factorial(k) for k in range(13, -1, -1))  # Taylor; |r| <= ln(2) / 2
_ARTANH = tuple(1 / k for k in range(19, 2, -2))  # Taylor; s^2 <= .0295


@compiled
def _polynomial(coefficients, x):
    value = 0.0
    for c in coefficients:
        value = fma(value, x, c)
    return value


@compiled
def exp(x):
    """e^x for x <= 709, to 1.5 units in the last place; 0 where that would be subnormal."""
    t = fma(x, _PER_LN2, _ROUNDER)
    k = t - _ROUNDER
    r = fma(k, -_LN2_LOW, fma(k, -_LN2_HIGH, x))
    return 0.0 if x < -708.0 else _polynomial(_EXP, r) * _power_of_two(t)


@compiled
def log1p(u):
    """ln(1 + u) for 0 <= u <= 1, to 1.5 units in the last place: 2 artanh(u / (2 + u))."""
    halve = u > 0.4142135623730951
    v = 0.5 * (u - 1) if halve else u
    s = v / (2 + v)
    q = s * s
    rest = fma(-s, v - 2 * q * _polynomial(_ARTANH, q), v)  # 2 s = v - s v
    return rest + (_LN2_HIGH if halve else 0.0)


@compiled
def softplus(z):
    """ln(1 + e^z) and sigmoid(z)."""
    decay = exp(-abs(z))
    return (z if z > 0 else 0.0) + log1p(decay), (1.0 if z > 0 else decay) / (1 + decay)
