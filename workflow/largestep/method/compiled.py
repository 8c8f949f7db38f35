"""Elementary functions for compiled code: IEEE operations in a fixed order.

No library function, no reordered sum, no contraction left to a compiler: equal arguments give
equal bits on every processor and in every lane of a vector unit.
"""

import math

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

compiled = njit(error_model="numpy", forceinline=True)


@intrinsic
def fma(context, a, b, c):
    """a b + c, rounded once; in float32 where all three are, else in float64."""

    def code(context, builder, signature, arguments):
        return builder.fma(*arguments)

    real = types.float32 if {a, b, c} == {types.float32} else types.float64
    return real(real, real, real), code


@intrinsic
def _power_of_two(context, t):
    """2^k, where k is in the last bits of t = 1.5 * 2^52 + k; in float32, of 1.5 * 2^23 + k."""
    single = t == types.float32
    size, digits, bias = (32, 23, 127) if single else (64, 52, 1023)

    def code(context, builder, signature, arguments):
        word = ir.IntType(size)
        bits = builder.shl(builder.bitcast(arguments[0], word), word(digits))
        real = ir.FloatType() if single else ir.DoubleType()
        return builder.bitcast(builder.add(bits, word(bias << digits)), real)

    return t(t), code


_LN2_HIGH, _LN2_LOW = float.fromhex("0x1.62e42fefa39efp-1"), float.fromhex("0x1.abc9e3b39803fp-56")
_ROUNDER = 1.5 * 2**52
_PER_LN2 = 1 / math.log(2)
_EXP = tuple(1 / math.factorial(k) for k in range(13, -1, -1))  # Taylor; |r| <= ln(2) / 2
_ARTANH = tuple(1 / k for k in range(19, 2, -2))  # Taylor; s^2 <= .0295


@compiled
def polynomial(coefficients, x):
    """The first coefficient is that of the highest power."""
    value = coefficients[0]
    for c in coefficients[1:]:
        value = fma(value, x, c)
    return value


@compiled
def exp(x):
    """e^x for x <= 709, to 1.5 units in the last place; 0 where that would be subnormal."""
    t = fma(x, _PER_LN2, _ROUNDER)
    k = t - _ROUNDER
    r = fma(k, -_LN2_LOW, fma(k, -_LN2_HIGH, x))
    return 0.0 if x < -708.0 else polynomial(_EXP, r) * _power_of_two(t)


def singles(*values: float) -> tuple[np.float32, ...]:
    """Constants whose arithmetic with a float32 stays in float32."""
    return tuple(map(np.float32, values))


_LN2_PARTS = singles(0.693359375, -2.12194440e-4)
_ROUNDER_SINGLE, _PER_LN2_SINGLE = singles(1.5 * 2**23, _PER_LN2)
_EXP_SINGLE = singles(*_EXP[-8:])
_ZERO, _LEAST = singles(0, -87)


@compiled
def exp_single(x):
    """e^x of a float32 <= 88, to 1.5 units in the last place; 0 where that would be subnormal."""
    t = fma(x, _PER_LN2_SINGLE, _ROUNDER_SINGLE)
    k = t - _ROUNDER_SINGLE
    r = fma(k, -_LN2_PARTS[1], fma(k, -_LN2_PARTS[0], x))
    return _ZERO if x < _LEAST else polynomial(_EXP_SINGLE, r) * _power_of_two(t)


@compiled
def log1p(u):
    """ln(1 + u) for 0 <= u <= 1, to 1.5 units in the last place: 2 artanh(u / (2 + u))."""
    halve = u > 0.4142135623730951
    v = 0.5 * (u - 1) if halve else u
    s = v / (2 + v)
    q = s * s
    rest = fma(-s, v - 2 * q * polynomial(_ARTANH, q), v)  # 2 s = v - s v
    return rest + (_LN2_HIGH if halve else 0.0)


@compiled
def softplus(z):
    """ln(1 + e^z) and sigmoid(z)."""
    decay = exp(-abs(z))
    return (z if z > 0 else 0.0) + log1p(decay), (1.0 if z > 0 else decay) / (1 + decay)
