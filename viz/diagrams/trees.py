"""The inner nodes of a tree, where they have no name: what a function that calls itself returns."""

from __future__ import annotations

from tinygrad_rnn.tracing.circuit import Circuit, Component
from tinygrad_rnn.tracing.naming import Loop
from tinygrad_rnn.tracing.recorder import Step


def returned(circuit: Circuit) -> set[Component]:
    """The components that a function that calls itself gives back to its caller, to be used there."""
    return {
        wire.source
        for c in circuit.components
        for wire in c.wires
        if _calls(wire.source.visits[0]).items() - _calls(c.visits[0]).items()
    }


def _calls(step: Step) -> dict[Loop, int]:
    """The functions that call themselves in which a step ran, and in which of their calls."""
    if step.operation is None or step.site is None:
        return {}
    running = zip(step.site.loops, step.iterations, strict=True)
    return {loop: number for loop, number in running if loop.calls_itself is not None}
