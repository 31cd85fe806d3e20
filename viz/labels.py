"""The text of labels: Unicode superscripts for steps, and any text at all made safe to print in a drawing."""

import functools
import hashlib
import unicodedata
from urllib.parse import quote

import graphviz

SUPERSCRIPTS = str.maketrans(
    "0123456789+-−=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVWβγδθφχ",
    "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂᵝᵞᵟᶿᵠᵡ",
)


def superscript(text: str) -> str:
    """`text` raised: "(t-1)" is ⁽ᵗ⁻¹⁾.  Where Unicode cannot raise every character, none is: "(q)" is ^(q)."""
    if all(ord(character) in SUPERSCRIPTS for character in text):
        return text.translate(SUPERSCRIPTS)
    return f"^{text}" if len(text) == 1 or text.startswith("(") else f"^({text})"


def at_step(name: str, step: int | str, offset: int = 0) -> str:
    """The variable at a step: at_step("h", 1) is h⁽¹⁾, at_step("h", "t", -1) is h⁽ᵗ⁻¹⁾."""
    if isinstance(step, int):
        return name + superscript(f"({step + offset})")
    return name + superscript(f"({step}{offset:+d})" if offset else f"({step})")


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
    return sum(map(_width, text))


@functools.cache
def _width(character: str) -> float:
    if unicodedata.east_asian_width(character) in "WF":
        return 1.0
    if unicodedata.category(character) in ("Lm", "No", "Mn") or character in " ()⁽⁾⁺⁻⁼|.,:;'fijlt":
        return 0.42
    if character in "mwMW…@×±":
        return 1.0
    return 0.72 if character.isupper() else 0.6
