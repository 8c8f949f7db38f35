"""Formulas found by `mathematics`, as typst sets them.

Made of a closed list of names, of single letters, digits and operators, so that no text becomes
code; what is a word in typst (phi, sum) must be a word of that list.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

_NAMES = {
    **{"phi": "phi.alt", "grad": "nabla", "sign": 'op("sign")', "Lip": 'upright("Lip")'},
    **{"eta_tilde": "tilde(eta)", "stepsize": "tilde(eta)", "lambda_max": "lambda_max"},
    **{"c1": "c_1", "c2": "c_2", "w0": "w_0", "fan_in": 'upright("fan"_"in")'},
    **{"t_sep": 't_"sep"', "L_flow": 'L_"flow"'},
}
_OPERATORS = {
    **{"<=": "<=", ">=": ">=", "+-": "plus.minus", "->": "arrow.r", "||": "bar.v.double"},
    **{"*": "thin", "~": "tilde.op", "|": "bar.v", "/": r"\/", "<": "lt", ">": "gt"},
}


class _Piece(Protocol):
    kind: str
    text: str


def formula(text: str, pieces: Callable[[str], Iterable[_Piece]]) -> str:
    """The content of typst's equation for a formula as it is written plainly."""
    written = '""'  # what a script at the beginning is attached to
    depth, roots, bars = 0, [], set()
    parts = list(pieces(text))
    for k, piece in enumerate(parts):
        part = _part(piece.kind, piece.text, pieces)
        if piece.kind == "open":
            depth += 1
            if k and parts[k - 1].text == "sqrt":
                roots.append(depth)
                part = "("
        elif piece.kind == "close":
            if roots and roots[-1] == depth:
                roots.pop()
                part = ")"
            depth -= 1
        elif piece.text in ("|", "||"):
            bars ^= {piece.text}
            part = f'class("{"opening" if piece.text in bars else "closing"}", {part})'
        written += part if part in ("(", ")") or piece.kind == "script" else f" {part}"
    return (written + ")" * len(roots)).removeprefix('"" ')


def _part(kind: str, text: str, pieces: Callable[[str], Iterable[_Piece]]) -> str:
    match kind:
        case "name":
            letters = text.rstrip("'")
            return _NAMES.get(letters, letters) + text[len(letters) :]
        case "text" if text in _NAMES:
            return _NAMES[text]
        case "text":
            return f'thin "{text}"'
        case "script":
            return f"{text[0]}({formula(text[1:].strip('{}()'), pieces)})"
        case "operator":
            return _OPERATORS.get(text, text)
        case "open" | "close" | "comma":
            return rf"\{text}"
        case "space":
            return ""
    return '"' + text.replace("\\", r"\\").replace('"', r"\"") + '"'
