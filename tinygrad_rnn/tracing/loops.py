"""In which iteration of each loop a program is, while it runs: the interpreter's own jumps are counted.

A loop of a code object is the range of a jump backward, and each such jump is one more iteration. No source text is
needed. From Python 3.12 on `sys.monitoring` reports the jumps, of functions with a loop only: that costs nothing that
can be measured and disturbs no debugger. On Python 3.11 the tracing hook tells of lines; a tracer that was there, a
debugger or coverage, is called first and goes on.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable
from functools import lru_cache
from itertools import zip_longest
from types import CodeType, FrameType
from typing import Any, NamedTuple

from ..autodiff.sites import is_engine


class Span(NamedTuple):
    """A loop of a code object: its first and last instruction, and the last one of the head of a `for` loop.

    The head asks the iterator for its next element. A generator that runs there was begun outside of the loop.

    begins_line  whether a line begins with the loop, be it entered or begun again
    """

    start: int
    end: int
    head: int = -1
    begins_line: bool = False


@lru_cache(maxsize=4096)
def loops_of(code: CodeType) -> dict[int, tuple[Span, ...]]:
    """For each instruction that is in a loop, the loops around it, outermost first."""
    spans = sorted(_by_start(code).values(), key=lambda span: span.start - span.end)
    return {
        offset: found
        for offset in range(0, len(code.co_code), 2)
        if (found := tuple(s for s in spans if max(s.start - 1, s.head) < offset <= s.end))
    }


@lru_cache(maxsize=4096)
def alike(code: CodeType) -> dict[int, int]:
    """For each instruction, the first one of the same expression in the same loops.

    From Python 3.12 on the compiler may write the end of a function several times, once after each branch before it.
    """
    if is_engine(code):
        return {}
    first: dict[Any, int] = {}
    loops = loops_of(code)
    return {
        i.offset: first.setdefault((i.opcode, i.positions, loops.get(i.offset)), i.offset)
        for i in dis.get_instructions(code)
    }


@lru_cache(maxsize=4096)
def _by_start(code: CodeType) -> dict[int, Span]:
    """The loops of a code object by their first instruction."""
    if is_engine(code):
        return {}
    instructions = list(dis.get_instructions(code))
    ends: dict[int, int] = {}
    heads: dict[int, int] = {}
    start = 0  # of the instruction, with its extended argument
    for i, following in zip_longest(instructions, instructions[1:]):
        if i.opname == "FOR_ITER":
            heads[start] = following.offset - 2
        if "JUMP" in i.opname and isinstance(i.argval, int) and i.argval <= i.offset:
            ends[i.argval] = max(ends.get(i.argval, 0), i.offset)
        if i.opname != "EXTENDED_ARG" and following is not None:
            start = following.offset
    lines = {offset for offset, _ in dis.findlinestarts(code)}
    return {
        begin: Span(begin, end, heads.get(begin, -1), begin in lines and begin not in heads)
        for begin, end in ends.items()
    }


class Iterations:
    """Counts the iterations of all loops that run inside a `with` block of this thread."""

    def __init__(self) -> None:
        self._counts: dict[FrameType, dict[Span, int]] = {}
        self._hook = (_Monitoring if sys.version_info >= (3, 12) else _Tracing)(self._counts)
        self.pause, self.resume = self._hook.pause, self._hook.resume

    def __enter__(self) -> Iterations:
        self._hook.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._hook.stop()
        self._counts.clear()

    def at(self, frame: FrameType, spans: tuple[Span, ...]) -> tuple[int, ...]:
        """The iteration of each of the loops, from 0, in which a frame is."""
        counts = self._counts.get(frame)
        return tuple([counts.get(span, 0) for span in spans]) if counts else (0,) * len(spans)


def _next_iteration(counts: dict[Span, int], span: Span) -> None:
    counts[span] = counts.get(span, 0) + 1
    for inner in counts:
        if span.start < inner.start and inner.end <= span.end:
            counts[inner] = 0


class _Monitoring:
    """Python 3.12 and later."""

    def __init__(self, counts: dict[FrameType, dict[Span, int]]):
        self.counts, self.codes = counts, set[CodeType]()

    def start(self) -> None:
        monitoring: Any = sys.monitoring  # type: ignore[attr-defined, unused-ignore]
        free = [tool for tool in (3, 4, 5, 2, 1, 0) if monitoring.get_tool(tool) is None]
        if not free:
            raise RuntimeError("record: all six tools of sys.monitoring are in use: end one of them")
        self.monitoring, self.tool = monitoring, free[0]
        monitoring.use_tool_id(self.tool, "tinygrad_rnn.record")
        monitoring.register_callback(self.tool, monitoring.events.PY_START, self._entered)
        monitoring.register_callback(self.tool, monitoring.events.JUMP, self._jumped)
        monitoring.set_events(self.tool, monitoring.events.PY_START)
        monitoring.restart_events()

    def stop(self) -> None:
        for code in self.codes:
            self.monitoring.set_local_events(self.tool, code, 0)
        self.monitoring.set_events(self.tool, 0)
        self.monitoring.free_tool_id(self.tool)

    def pause(self) -> None:
        """Where nothing is reported there is nothing to pause."""

    resume = pause

    def _entered(self, code: CodeType, _: int) -> Any:
        if _by_start(code) and code not in self.codes:
            self.codes.add(code)
            self.monitoring.set_local_events(self.tool, code, self.monitoring.events.JUMP)
        return self.monitoring.DISABLE  # once for each code object

    def _jumped(self, code: CodeType, source: int, target: int) -> None:
        if target > source:
            return
        counts = self.counts.setdefault(sys._getframe(1), {})
        _next_iteration(counts, _by_start(code)[target])


class _Tracing:
    """Python 3.11.

    The hook is called for every function that begins, so it is as short as can be: the engine and NumPy are known by
    the name of their module, for the hash of a code object takes longer than all the rest.
    """

    def __init__(self, counts: dict[FrameType, dict[Span, int]]):
        self.counts = counts
        self.positions: dict[FrameType, int] = {}
        self.skipped: dict[Any, bool] = {}
        self.lines: dict[CodeType, Callable[..., Any] | None] = {}
        self.hook: Any = None  # while it is the only one
        self.paused = False

    def start(self) -> None:
        self.before = sys.gettrace()
        self.hook = self._entered if self.before is None else None
        sys.settrace(self.hook or self._entered_too)

    def pause(self) -> None:
        """Let the recorder work at full speed: with any hook, Python asks at each instruction whether a line begins."""
        self.paused = self.hook is not None and sys.gettrace() is self.hook
        if self.paused:
            sys.settrace(None)

    def resume(self) -> None:
        if self.paused:
            sys.settrace(self.hook)

    def stop(self) -> None:
        sys.settrace(self.before)
        self.hook = None
        self.positions.clear()
        self.lines.clear()

    def _entered(self, frame: FrameType, event: Any, argument: Any) -> Callable[..., Any] | None:
        module = frame.f_globals.get("__name__")
        skipped = self.skipped.get(module)
        if skipped is None:
            skipped = self.skipped[module] = str(module).partition(".")[0] in (__package__.partition(".")[0], "numpy")
        if skipped:
            return None
        code = frame.f_code
        if code not in self.lines:
            by_start = _by_start(code)
            self.lines[code] = self._line(by_start) if by_start else None
        return self.lines[code]

    def _line(self, by_start: dict[int, Span]) -> Callable[..., Any]:
        """What is called for each line of a function with these loops."""
        positions, counts = self.positions, self.counts

        def line(frame: FrameType, event: Any, argument: Any) -> None:
            if event == "line":
                position, before = frame.f_lasti, positions.get(frame, -1)
                positions[frame] = position
                span = by_start.get(position)
                # a jump back begins a line, at the head of a for loop and in the middle of a line too
                if span is not None and (not span.begins_line or span.start <= before <= span.end):
                    _next_iteration(counts.setdefault(frame, {}), span)

        return line

    def _entered_too(self, frame: FrameType, event: Any, argument: Any) -> Callable[..., Any] | None:
        """The same where another tracer is at work."""
        assert self.before is not None
        theirs = self.before(frame, event, argument)
        if sys.gettrace() != self._entered_too:  # coverage puts itself in our place when it is called
            sys.settrace(self._entered_too)
        ours = self._entered(frame, event, argument)
        if theirs is None or ours is None:
            return theirs or ours
        line = theirs

        def both(frame: FrameType, event: Any, argument: Any) -> None:
            nonlocal line
            line = line(frame, event, argument) or line
            ours(frame, event, argument)

        return both
