"""What a compiled program computes in loops, and by which delays; what for all steps at once; what one by one."""

from __future__ import annotations

from .emission import Source
from .lifting import place
from .loops import Loop
from .program import Value


class Report:
    """Prints as a few lines.

    loops     for each loop, what it computes and which reads of earlier steps make it one
    batched   what is computed for all steps at once, by name
    by_steps  operations that can only be done step by step, with their lines
    """

    def __init__(self, source: Source):
        self._called = source.names.called
        in_loops = {value for loop in source.loops for value in loop.values}
        rest = [value for value in source.program.values if value.span is not None and value not in in_loops]
        self.loops = [self._loop(loop) for loop in source.loops]
        self.batched = list(dict.fromkeys(filter(None, map(self._called, rest))))
        self.by_steps = ["{}: `{}`   {}".format(value.operation, *place(value)) for value in source.by_steps]
        self._number = len(rest)

    def __str__(self) -> str:
        lines = self.loops or ["no loop: nothing depends on another step of itself"]
        names = f": {', '.join(self.batched)}" if self.batched else ""
        lines = [*lines, f"{self._number} values for all steps at once{names}"]
        return "\n".join([*lines, *(f"step by step: {line}" for line in self.by_steps)])

    __repr__ = __str__

    def _loop(self, loop: Loop) -> str:
        names = list(dict.fromkeys(filter(None, map(self._called, loop.values))))
        delays: dict[Value, int] = {}
        for read in (read for value in loop.values for read in value.reads if read.value in loop.values and read.delay):
            delays[read.value] = abs(read.delay)
        which = "later" if loop.is_down else "before"
        why = [f"{self._called(v) or v.operation} {n} step{'s' * (n > 1)} {which}" for v, n in delays.items()]
        return f"a loop {'down' if loop.is_down else 'up'} for {', '.join(names)}: it needs {', '.join(why)}"
