"""The text of labels: names as mathematics sets them, steps in superscripts, any text at all made safe to print."""

import functools
import hashlib
import html
import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import quote

import graphviz

from tinygrad_rnn.tracing import notation
from tinygrad_rnn.tracing.circuit import Component
from tinygrad_rnn.tracing.reading import Reading
from tinygrad_rnn.tracing.sequences import Piece

SUPERSCRIPTS = str.maketrans(
    "0123456789+-−=(),abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVWβγδθφχ",
    "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ʼᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂᵝᵞᵟᶿᵠᵡ",
)
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_PLAIN = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")


def typeset(text: str) -> str:
    """A name of the code in Unicode, which has digits below the line but few letters: h₁, Uᵍ, C̃, W_xi, W_encoder₁."""
    name = notation.name(text)
    shown = unicodedata.normalize("NFC", visible(name.letters) + name.accent)
    shown += "".join(map(superscript, name.superscript.rstrip("′")))
    for i, part in enumerate(name.subscripts):
        digits = "," * (name.subscripts[i - 1 : i] != () and name.subscripts[i - 1].isdecimal()) + part
        shown += digits.translate(SUBSCRIPTS) if part.isdecimal() else f"_{visible(part)}"
    return shown + "′" * name.superscript.count("′")


def label(c: Component, reading: Reading) -> str:
    """What a component is called: its name; without one the operation's glyph, or the value of a constant."""
    if c in reading.stands_in and c.name:  # the step is yet to be added
        return typeset(reading.names.get(reading.stands_in[c][0], c.name))
    if c in reading.names:
        return typeset(reading.names[c])
    return c.label if c.operation is None else c.operation.glyph.replace("_", "-")


def superscript(text: str) -> str:
    """`text` raised: "(t-1)" is ⁽ᵗ⁻¹⁾.  Where Unicode cannot raise every character, none is: "(q)" is ^(q)."""
    if all(ord(character) in SUPERSCRIPTS for character in text):
        return text.translate(SUPERSCRIPTS)
    return f"^{text}" if len(text) == 1 or text.startswith("(") else f"^({text})"


def at_step(name: str, step: int | str, offset: int = 0, stride: int = 1) -> str:
    """The variable at a step: at_step("h", 1) is h⁽¹⁾, at_step("h", "t", -1) is h⁽ᵗ⁻¹⁾, with a stride of 2 h⁽²ᵗ⁻¹⁾."""
    if isinstance(step, int):
        return name + superscript(f"({stride * step + offset})")
    times = "" if stride == 1 else str(stride)
    return name + superscript(f"({times}{step}{offset:+d})" if offset else f"({times}{step})")


def at_steps(name: str, steps: Iterable[str]) -> str:
    """The variable at a step of each of its loops, as they are written: h⁽ᵗ⁻¹⁾, a⁽ᵗʼˢ⁾."""
    return name + superscript(f"({','.join(steps)})")


def at_piece(name: str, piece: Piece, step: int | str, offset: int = 0) -> str:
    """What is read of an array at a step: x⁽ᵗ⁺¹⁾, x⁽²ᵗ⁻¹⁾, x⁽ᵗ⁾…x⁽ᵗ⁺²⁾."""
    first = piece.stride * (offset - 1) + piece.first + 1
    ends = (first, first + piece.length - 1)[: piece.length]
    return "…".join(at_step(name, step, end, piece.stride) for end in ends)


def visible(text: str, limit: int = 80) -> str:
    """What a drawing shows of a text: at most `limit` characters, all of which can be seen.

    What cannot is written as Python writes it: a line break is \\n, NUL is \\x00.  What is too long loses its middle,
    for the end of a name is often its step.
    """
    if not text.isprintable():
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    if len(text) <= limit:
        return text
    end = limit // 3
    return f"{text[: limit - end - 1]}…{text[len(text) - end :]}"


def escape(text: str, limit: int = 80) -> str:
    """A visible text in DOT: nothing in it is an escape, an entity or HTML to Graphviz."""
    return graphviz.escape(visible(text, limit).replace("&", "&amp;"))


LOWERED = re.compile(r"((?:_[^\W_]+)+)")
"""The subscripts of a name, in a label."""
SMALLER = 0.7
"""The size of its letters, as a part of the label's."""


def markup(text: str, size: float, limit: int = 80) -> str | None:
    """A visible text in Graphviz's HTML, its subscripts small and below the line; None for a text without any."""
    shown = html.escape(visible(text, limit))
    small = f'<SUB><FONT POINT-SIZE="{SMALLER * size:.1f}">'
    lowered = LOWERED.sub(lambda part: f"{small}{_below(part[1])}</FONT></SUB>", shown)
    return lowered if lowered != shown else None


def _below(subscripts: str) -> str:
    """As they stand below the line: of W_h_encoder it is h,encoder."""
    return subscripts[1:].replace("_", ",").translate(_PLAIN)


def escape_tooltip(text: str, limit: int = 400) -> str:
    """The same for a tooltip, whose backslashes Graphviz reads twice."""
    return graphviz.escape(escape(text, limit))


def identifier(text: str) -> str:
    """A node's name in DOT: characters that mean something to DOT, to HTML or to the `graphviz` package are written as
    in a URL, %3A for a colon; a long name ends in its digest.  Different texts have different identifiers."""
    safe = "".join(c if c.isprintable() and c not in '%:<>&"\\' else quote(c, "", errors="surrogatepass") for c in text)
    return safe if len(safe) <= 200 else f"{safe[:100]}%{hashlib.sha256(safe.encode()).hexdigest()}"


def width(text: str) -> float:
    """How wide a serif italic sets the text, in units of its size: estimated, for want of the font, and generously."""
    smaller = sum(map(_width, "".join(map(_below, LOWERED.findall(text)))))
    return sum(map(_width, LOWERED.sub("", text))) + SMALLER * smaller


@functools.cache
def _width(character: str) -> float:
    if unicodedata.east_asian_width(character) in "WF":
        return 1.0
    if unicodedata.category(character) in ("Lm", "No", "Mn") or character in " ()⁽⁾⁺⁻⁼|.,:;'fijlt":
        return 0.42
    if character in "mwMW…@×±":
        return 1.0
    return 0.72 if character.isupper() else 0.6
