"""The text of labels: steps are raised, and any text at all is safe to print and short enough."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viz.labels import at_step, escape, identifier, superscript, visible, width


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        (at_step("h", 1), "h⁽¹⁾"),
        (at_step("h", 12, -1), "h⁽¹¹⁾"),
        (at_step("h", "t"), "h⁽ᵗ⁾"),
        (at_step("h", "t", -1), "h⁽ᵗ⁻¹⁾"),
        (at_step("h", "t", 1), "h⁽ᵗ⁺¹⁾"),
        (at_step("h", "T"), "h⁽ᵀ⁾"),
        (at_step("h", "q"), "h^(q)"),
        (at_step("h", "q", -1), "h^(q-1)"),
        (superscript("2"), "²"),
        (superscript("2q"), "^(2q)"),
    ],
)
def test_a_step_is_raised_by_unicode_or_not_at_all(label: str, shown: str) -> None:
    assert label == shown


def test_what_cannot_be_seen_is_written_as_python_writes_it() -> None:
    assert visible("a\nb\0\x1b\u202e\ud800") == r"a\nb\x00\x1b\u202e\ud800"


def test_a_long_name_keeps_its_beginning_and_its_step() -> None:
    shown = visible("n" * 9_995 + "⁽ᵗ⁻¹⁾", 20)
    assert shown == "n" * 13 + "…" + "n⁽ᵗ⁻¹⁾"
    assert len(escape("\\" * 10_000)) == 79 * 2 + 1


@given(st.text(), st.text())
def test_different_texts_have_different_identifiers_which_dot_takes_literally(one: str, other: str) -> None:
    assert (identifier(one) == identifier(other)) == (one == other)
    assert not re.search(r'[:<>&"\\]', identifier(one))


@pytest.mark.parametrize("text", ["e\u0301", "שלום", "👩\u200d🔬", "隠れ層", "h⁽ᵗ⁻¹⁾", "∂L/∂W"])
def test_what_can_be_seen_is_shown_as_it_is_but_for_joiners(text: str) -> None:
    assert visible(text) == text.replace("\u200d", r"\u200d")


def test_a_combining_mark_makes_no_label_much_wider_and_a_wide_character_does() -> None:
    assert width("e\u0301") < 1.8 * width("e")
    assert width("隠") > 1.5 * width("e")
