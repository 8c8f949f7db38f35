r"""Formulas in running text: written plainly, as `||w_t||^4` or `eta t`, set as mathematics.

Texts of claims, captions and configurations are read in terminals and YAML, too, so they carry no
markup. Here the formulas in them are found, and become TeX for Markdown and MathML for the page.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from html import unescape
from itertools import groupby
from typing import NamedTuple
from unicodedata import lookup
from xml.etree import ElementTree

from markupsafe import Markup, escape

from largestep.report import typst_formulas

_GREEK = (
    *("alpha", "beta", "gamma", "eta", "kappa", "lambda", "phi", "psi", "rho", "tau", "theta"),
    *("Omega", "Theta"),
)
_FUNCTIONS = ("ln", "log", "min", "max", "exp", "inf", "sup")
_NAMES = (
    {name: rf"\{name} " for name in (*_GREEK, *_FUNCTIONS, "sum")}
    | {"grad": r"\nabla ", "sqrt": r"\sqrt ", "sign": r"\mathrm{sign} ", "Lip": r"\mathrm{Lip}"}
    | {"eta_tilde": r"\tilde{\eta} ", "lambda_max": r"\lambda_{\max} "}
    | {"gamma_a": r"\gamma_a ", "gamma_b": r"\gamma_b "}
    | {"c1": "c_1", "c2": "c_2", "w0": "w_0", "fan_in": r"\mathrm{fan_{in}}"}
    | {"t_sep": r"t_{\mathrm{sep}}", "L_flow": r"L_{\mathrm{flow}}", "stepsize": r"\tilde{\eta} "}
)
_OPERATORS = {
    "<=": r"\le ",
    ">=": r"\ge ",
    "+-": r"\pm ",
    "->": r"\to ",
    "||": r"\|",
    "*": r"\,",
    "~": r"\sim ",
}

#: In plain text, too.
_SIGNS = {"<=": "≤", ">=": "≥", "+-": "±", "->": "→"}

_greek, _known = "|".join(_GREEK), "eta_tilde|lambda_max|gamma_[ab]|fan_in|L_flow|t_sep"
_FOLLOWED = (
    rf"(?=_|\s?[({{|]|\s\d|\s[A-Za-z](?![A-Za-z])|\s(?:{_greek}|{_known}|ln|log|max|grad)\b)"
)
_quantity = r"normalized\ margin|stepsize|sharpness|margin"

#: Of single letters only "a", "A" and "I" are words. Quantities are part of a formula where an
#: operator or a power stands next to them.
_TOKEN = re.compile(
    rf"""(?P<space>\s+)
    |(?P<word>'s\b|[A-Za-z]{{2,}}(?:-[A-Za-z]+)+|[a-z]-[a-z]\b|(?<=\s)\((?:[a-f]|\d\.\d)\)
        |Figures?\s\d+\s?\(?[a-f](?:-[a-f])?\)?|(?!(?:{_known}|{_greek}|{"|".join(_FUNCTIONS)}|sum)(?:_|\b))
        [A-Za-z]{{2,}}\w*_\w+)
    |(?P<text>(?:{_quantity})(?=\s?[*/^]|\)+\^)|(?<=[*/]\s)(?:{_quantity})|(?<=[/(])stepsize)
    |(?P<name>(?:{_known})\b|(?:{"|".join(_FUNCTIONS)}|sign)(?![A-Za-z0-9]){_FOLLOWED}|sum(?=_|\s[A-Z](?![A-Za-z]))
        |sqrt(?=\()|grad(?=\s[A-Z])|(?:{_greek}|Lip)(?![a-z])'*|c[12]\b|w0\b
        |(?!a\b|A\b|I\b)[A-Za-z](?![A-Za-z\d])'*|a(?=_))
    |(?P<number>(?:\d{{1,3}}(?:,\d{{3}})+|\d+)(?:\.\d+)?(?:e[+-]?\d+)?(?!%|-?[A-Za-z]{{2}}))
    |(?P<script>[_^](?:\{{[^{{}}]*\}}|\([^()]*\)|-?\d+(?:\.\d+)?|[A-Za-z](?![A-Za-z])))
    |(?P<operator><=|>=|\+-|->|\|\||[-+*/=<>~|])
    |(?P<open>[(\[{{])|(?P<close>[)\]}}])|(?P<comma>[,;](?=\s?\S))
    |(?P<other>[A-Za-z]+|.)""",
    re.VERBOSE,
)
_DECIDES = frozenset({"name", "script", "text"})  # kinds without which there is no formula
_BARS = ("||", "|")
_CLOSES = {"(": ")", "[": "]", "{": "}"}


class _Piece(NamedTuple):
    kind: str
    text: str
    tex: str | None  # None: not part of a formula

    @property
    def joins(self) -> bool:
        """Whether a formula may neither begin nor end with it."""
        return self.kind in ("space", "comma") or (
            self.kind == "operator" and self.text not in _BARS
        )


def tex(text: str) -> str:
    """`text` with its formulas between dollar signs, as Markdown has them."""
    return "".join(f"${formula}$" if formula else signs(plain) for plain, formula in _parts(text))


def typst(text: str) -> list[tuple[str, str]]:
    """Parts of `text`, each plain or, as typst's mathematics, a formula; the other is empty."""
    found = []
    for is_formula, parts in groupby(_parts(text), key=lambda part: bool(part[1])):
        written = "".join(plain for plain, _ in parts)
        formula = typst_formulas.formula(written, _pieces) if is_formula else ""
        found.append(("", formula) if is_formula else (signs(written), ""))
    return found


def html(text: str) -> Markup:
    """`text`, escaped, with its formulas as MathML."""
    return Markup("").join(
        _mathml(formula, plain) if formula else escape(signs(plain))
        for plain, formula in _parts(text)
    )


def characters(text: str) -> str:
    """`text` where there can be no markup: its Greek letters and signs as characters."""
    spelt = rf"\b({_greek})(_tilde)?(?![A-Za-z])"
    return signs(re.sub(spelt, lambda name: _letter(name[1]) + ("\u0303" if name[2] else ""), text))


def _letter(name: str) -> str:
    case = "CAPITAL" if name[0].isupper() else "SMALL"
    return lookup(f"GREEK {case} LETTER {'LAMDA' if name == 'lambda' else name.upper()}")


def signs(plain: str) -> str:
    """Text between formulas, with its signs as characters."""
    return re.sub(r"<=|>=|\+-|(?<=\s)->(?=\s)", lambda sign: _SIGNS[sign[0]], plain)


@cache
def _mathml(formula: str, plain: str) -> Markup:
    # Serialised here, since ElementTree escapes texts and latex2mathml's own function does not.
    from latex2mathml.converter import convert_to_element

    try:
        element = convert_to_element(formula)
    except Exception:  # its errors share no base; what it cannot set stays as it is written
        return escape(plain)
    for each in element.iter():
        each.text = unescape(each.text or "") or None
    return Markup(ElementTree.tostring(element, encoding="unicode"))


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """Parts of the text, in order, each with its TeX where it is a formula, else ""."""
    run: list[_Piece] = []
    for piece in _pieces(text):
        if piece.tex is not None:
            run.append(piece)
            continue
        yield from _formulas(run)
        yield piece.text, ""
        run = []
    yield from _formulas(run)


def _pieces(text: str) -> Iterator[_Piece]:
    for match in _TOKEN.finditer(text):
        kind, found = match.lastgroup or "other", match.group()
        yield _Piece(kind, found, _tex(kind, found))


def _tex(kind: str, text: str) -> str | None:
    match kind:
        case "name":
            letters = text.rstrip("'")
            return _NAMES.get(letters, letters) + text[len(letters) :]
        case "text":
            return _NAMES.get(text, rf"\text{{{text}}}")
        case "script":
            inner = (piece.tex or piece.text for piece in _pieces(text[1:].strip("{}()")))
            return f"{text[0]}{{{''.join(inner)}}}"
        case "operator":
            return _OPERATORS.get(text, text)
        case "open" | "close":
            return rf"\{text}" if text in "{}" else text
        case "space":
            return " "
        case "number":
            return text.replace(",", "{,}")
        case "comma":
            return text
    return None


def _formulas(run: list[_Piece]) -> Iterator[tuple[str, str]]:
    """A run of pieces that could be one formula: split where brackets do not match."""
    begin = 0
    while begin < len(run):
        end = _balanced(run, begin)
        inner = run[begin:end]
        first = next((k for k, piece in enumerate(inner) if not piece.joins), len(inner))
        first -= bool(first) and inner[first - 1].text == "+-"
        last = next((k for k in range(len(inner), first, -1) if not inner[k - 1].joins), first)
        if any(piece.kind in _DECIDES for piece in inner[first:last]):
            yield _plain(inner[:first]), ""
            yield _plain(inner[first:last]), _joined(inner[first:last])
            yield _plain(inner[last:]), ""
        else:
            yield _plain(inner), ""
        yield _plain(run[end : end + 1]), ""
        begin = end + 1


def _balanced(run: list[_Piece], begin: int) -> int:
    """Where the longest stretch from `begin` on ends whose brackets match and commas are inside."""
    stack: list[tuple[str, int]] = []
    for k, piece in enumerate(run[begin:], begin):
        if piece.kind == "open":
            stack.append((_CLOSES[piece.text], k))
        elif piece.kind == "operator" and piece.text in _BARS:
            if stack and stack[-1][0] == piece.text:
                stack.pop()
            else:
                stack.append((piece.text, k))
        elif piece.kind == "close":
            if not stack or stack.pop()[0] != piece.text:
                return k
        elif piece.kind == "comma" and not stack:
            return k
    return stack[0][1] if stack else len(run)


def _plain(pieces: Iterable[_Piece]) -> str:
    return "".join(piece.text for piece in pieces)


def _joined(pieces: list[_Piece]) -> str:
    """The TeX of a formula; the brackets after a root become its argument."""
    formula, roots, depth = "", [], 0
    for k, piece in enumerate(pieces):
        part = piece.tex or ""
        if piece.kind == "open":
            depth += 1
            if k and pieces[k - 1].text == "sqrt":
                roots.append(depth)
                part = "{"
        elif piece.kind == "close":
            if roots and roots[-1] == depth:
                roots.pop()
                part = "}"
            depth -= 1
        formula += part
    formula = re.sub(r"\\(ln|log|exp) +(?=[\\\w])(?!\\\|)", r"\\\1\\,", formula)
    return re.sub(r" +", " ", formula).strip()
