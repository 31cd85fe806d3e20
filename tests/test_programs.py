"""Each program of tests/programs folds into a circuit with the right delays, is drawn, and its equations hold.

A program that fails a check is in NOT_YET with that check. The tests assert that the check fails, so that the table
shrinks with every program that the fold learns.
"""

from collections import defaultdict
from functools import cache, partial

import numpy as np
import pytest
from equations_checked import holds
from folding import certify, same_at_other_lengths
from programs import FILES, PROGRAMS

import tinygrad_rnn as tg
import viz

NOT_YET: dict[str, set[str]] = {
    "ctc-cell-by-cell": {"fold"},
    "pointer-network": {"equations", "backward fold"},
    "unit-by-unit": {"delays"},
    "beam-of-two": {"equations", "backward fold"},
}


@cache
def recorded(name, T, backward):
    """The record of a program's run, or that of both passes."""
    if backward:
        return recorded(name, T, False).backward()
    function, *arguments = PROGRAMS[name].example(T)
    return tg.record(function, *arguments)


def short(name, backward=False):
    return recorded(name, PROGRAMS[name].lengths[0], backward)


def delays(circuit):
    """For each variable and each that it reads: how many steps ago its values are from, in each loop of the two."""
    found = defaultdict(set)
    for reader in circuit.components:
        for at in reader.points if reader.name else ():
            for source, point, reach in sources(circuit, reader, at, "step", {reader}):
                times, pairs = defaultdict(list), []
                for axis, time in zip(reader.axes, at, strict=True):
                    times[axis.loop].append(time)
                for axis, time in zip(source.axes, point, strict=True):
                    if times[axis.loop]:
                        pairs.append(times[axis.loop].pop(0) - time - (source.reads or 0))
                delay = pairs[0] if len(pairs) == 1 else tuple(pairs) or reach
                name = source.wires[0].source.name if source.is_sequence else source.name
                found[reader.name, name].add("all" if reach == "all" else delay)
    return found


def sources(circuit, component, at, reach, passed):
    """What has a name and is read by a component at a point, directly or over operations without a name; with its
    point, and how it was reached. Initial values are left out."""
    for wire in (wire for end in component.wires for wire in (end, *end.others)):
        there = "all" if wire.takes_several else wire.reach if wire.reach in ("first", "last", "once") else reach
        for point in wire.points(circuit.lengths)(at)[0][: 1 if there == "all" else None]:
            if wire.source.is_sequence or (wire.source.name and wire.source.kind != "constant"):
                yield wire.source, point, there
            elif wire.source not in passed:
                yield from sources(circuit, wire.source, point, there, passed | {wire.source})


# -- the checks --------------------------------------------------------------------------------------------


def folds(name, backward=False):
    graph = short(name, backward)
    certify(graph, graph.fold())
    assert len(graph.fold().components) < len(graph)


def has_its_delays(name):
    found = delays(short(name).fold())
    wanted = {pair: d if isinstance(d, set) else {d} for pair, d in PROGRAMS[name].delays.items()}
    assert {pair: found[pair] for pair in wanted} == wanted


def unfolds_at_another_length(name, backward=False):
    circuit, unknown = short(name, backward).fold(), PROGRAMS[name].unknown
    if unknown is None:
        same_at_other_lengths(circuit, recorded(name, PROGRAMS[name].lengths[1], backward).fold())
    else:
        with pytest.raises(tg.FoldError, match=unknown):
            circuit.unfold([T + 2 for T in circuit.lengths])


def is_drawn(name, backward=False):
    for view in (viz.circuit, viz.unfolded):
        assert view(short(name, backward)).source.startswith("digraph")


def has_equations_that_hold(name, backward=False):
    assert holds(short(name, backward), "backward" if backward else "forward")


CHECKS = {
    "fold": folds,
    "delays": has_its_delays,
    "length": unfolds_at_another_length,
    "drawing": is_drawn,
    "equations": has_equations_that_hold,
    "backward fold": partial(folds, backward=True),
    "backward length": partial(unfolds_at_another_length, backward=True),
    "backward drawing": partial(is_drawn, backward=True),
    "backward equations": partial(has_equations_that_hold, backward=True),
}


def holding(name):
    """The checks that hold of a program: those that do not, and all that need a circuit which there is not, are left
    out."""
    fail = NOT_YET.get(name, set())
    without = [fold.removesuffix("fold") for fold in ("fold", "backward fold") if fold in fail]
    if not PROGRAMS[name].loss:
        without.append("backward")
    return [check for check in CHECKS if check not in fail and not any(check.startswith(prefix) for prefix in without)]


@pytest.mark.parametrize(("name", "check"), [(name, check) for name in PROGRAMS for check in holding(name)])
def test_a_program_has_its_circuit_at_every_length_and_is_drawn_and_has_equations_that_hold(name, check):
    CHECKS[check](name)


@pytest.mark.parametrize(("name", "check"), [(name, check) for name in NOT_YET for check in sorted(NOT_YET[name])])
def test_a_check_that_does_not_hold_yet_fails(name, check):
    with pytest.raises((AssertionError, ValueError, LookupError, pytest.fail.Exception)):  # FoldError is a ValueError
        CHECKS[check](name)


@pytest.mark.parametrize("name", [name for name in PROGRAMS if PROGRAMS[name].loss and not PROGRAMS[name].cuts])
def test_the_gradient_of_a_program_is_that_of_finite_differences(name):
    function, *arguments = PROGRAMS[name].example(PROGRAMS[name].lengths[0])
    graph = tg.record(function, *arguments)
    rng = np.random.default_rng(0)
    gradients = {step: g.value for step, g in graph.backward().gradients.items() if step.kind == "parameter"}
    assert gradients
    for parameter, gradient in gradients.items():
        value, direction = parameter.value, rng.normal(size=parameter.shape)
        losses = []
        for distance in (1e-6, -1e-6):
            parameter.value = value + distance * direction
            losses.append(graph.replay(*arguments).item())
        parameter.value = value
        expected = (losses[0] - losses[1]) / 2e-6
        assert (gradient * direction).sum() == pytest.approx(expected, rel=1e-5, abs=1e-8)


def test_a_name_stands_for_one_program():
    assert sum(len(file.PROGRAMS) for file in FILES) == len(PROGRAMS) >= 124


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("a-list-of-arrays", "a-queue"),
        ("reduced", "recursion-on-time"),
        ("reduced", "recursion-on-the-list"),
        ("accumulated", "a-generator-that-is-sent-the-input"),
        ("hidden-markov-model", "hidden-markov-model-with-scaling"),
        ("causal-attention", "key-value-cache"),
        ("example-by-example", "examples-inside-time"),
    ],
)
def test_two_ways_of_writing_one_thing_give_the_same_number(name, other):
    one, two = (function(*arguments).item() for function, *arguments in (PROGRAMS[n].example(6) for n in (name, other)))
    assert one == pytest.approx(two, rel=1e-12)
