"""The inner nodes of a tree, where they have no name: what a function that calls itself returns."""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType

from tinygrad_rnn.nn.identity import IdentityKey
from tinygrad_rnn.tracing.circuit import Circuit, Component
from tinygrad_rnn.tracing.naming import Site


def returned(circuit: Circuit) -> set[Component]:
    """The components that a function that calls itself gives back to its caller, to be used there."""
    recursive = _recursive([c.visits[0].site for c in circuit.components if c.visits[0].site is not None])
    found: set[Component] = set()
    for c in circuit.components if recursive else ():
        for wire in c.wires:
            if _is_recursive(wire.source, recursive) and _returns_to(wire.source, c):
                found.add(wire.source)
    return found


def _recursive(sites: list[Site]) -> set[IdentityKey[CodeType]]:
    """The functions among the calls that led to these places that were running already when they were called."""
    found: set[IdentityKey[CodeType]] = set()
    for site in dict.fromkeys(sites):
        running: set[IdentityKey[CodeType]] = set()
        for at in _calls(site):
            function = IdentityKey(at.code)
            (found if function in running else running).add(function)
    return found


def _is_recursive(c: Component, recursive: set[IdentityKey[CodeType]]) -> bool:
    site = c.visits[0].site
    return c.operation is not None and site is not None and IdentityKey(site.code) in recursive


def _returns_to(c: Component, user: Component) -> bool:
    """Whether it was computed in a function called from the one that uses it."""
    call, used = c.visits[0].site.caller, user.visits[0].site
    return call is not None and used is not None and call.code is used.code and call.caller is used.caller


def _calls(site: Site | None) -> Iterator[Site]:
    while site is not None:
        yield site
        site = site.caller
