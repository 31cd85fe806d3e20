"""How a name of the code is set in mathematics: ``W_xi`` is a W with the subscript xi, ``C_tilde`` a C with a tilde.

    written as                      set as                                            for example
    alpha, Gamma, eps               the Greek letter                                  α, Γ, ε
    a_hat, a_bar, a_tilde, a_tilda  a letter with an accent                           â, ā, ã
    a_b, a_b_c                      with what follows as subscripts                   W_xi, h_prev
    a1, a_1, a[1]                   with the number as a subscript                    h₁, fc₁, params₁
    Ug, bf, wc                      a gate's weight: the gate's letter is raised      Uᵍ, bᶠ, wᶜ
    Wx, bh                          a weight of x, h or y: its letter is a subscript  W_x, b_h
    Wxh, Whi                        a weight from one to another: both are            W_xh, W_hi

Weights are here U, V, W, R, b, p (a peephole) and w; but Ws[0] is of a list, Ws₀. All else, ``loss``, ``dA``, ``LSTM``,
stays as it is. An index counts as in Python: params[0] is params₀.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

_NAMES = """alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu pi rho sigma tau upsilon phi chi psi
omega Gamma Delta Theta Lambda Pi Sigma Phi Psi Omega eps lamda"""
GREEK = dict(zip(_NAMES.split(), "αβγδεζηθικλμνπρστυφχψωΓΔΘΛΠΣΦΨΩελ", strict=True))
"""No xi: in code that is an element of x."""
ACCENTS = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303", "tilda": "\u0303"}
"""The combining character of each."""
LONGEST = 80
"""What is longer is a word."""
_DIGITS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")


class Name(NamedTuple):
    """A name in its parts; names that are set alike are equal. The accent is a combining character, or ""."""

    letters: str
    accent: str = ""
    superscript: str = ""
    subscripts: tuple[str, ...] = ()


@lru_cache(maxsize=4096)
def name(text: str) -> Name:
    """A name of the code as mathematics sets it."""
    first, *rest = re.findall(r"[^_.]+", text) or [text]
    matched = re.fullmatch(r"(.*?)([0-9₀-₉]*)(′*)", first, re.DOTALL)
    assert matched is not None  # each of its parts may be empty
    letters, digits, raised = matched.groups()
    if not letters or len(text) > LONGEST:
        return Name(text)
    is_weight = not re.match(r"[^_.]+\.\d", text)
    letters, accent, lowered = GREEK.get(letters, letters), "", [digits.translate(_DIGITS)] * bool(digits)
    if len(letters) == 1 and rest and rest[0] in ACCENTS:
        accent = ACCENTS[rest.pop(0)]
    elif len(parts := unicodedata.normalize("NFD", letters)) == 2 and parts[1] in ACCENTS.values():  # ŷ
        letters, accent = parts[0], parts[1]
    elif is_weight and re.fullmatch("[UVWRbpw][xhy]|[UVW][xhys][a-z]", letters):
        letters, lowered = letters[0], [letters[1:], *lowered]
    elif is_weight and re.fullmatch("[UVWRbpw][a-zα-ω]", letters):
        letters, raised = letters[0], letters[1] + raised
    lowered += [GREEK.get(part, part) if len(part) > 2 else part for part in rest]
    return Name(letters, accent, raised, tuple(lowered))
