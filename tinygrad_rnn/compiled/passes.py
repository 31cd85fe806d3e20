"""Rewrites of a program, one function each: from what the engine did, step by step, to what a person would write."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .program import Program, Read, Span, Value, cycles, once
from .smaller import REARRANGING, broadcasts, common, copies, numbers, plain_slopes, slices, sums, transposes

ACTIVATIONS = ("tanh", "sigmoid", "relu", "softplus", "exp", "softmax", "sin")


def rewrite(program: Program) -> None:
    """All passes over a program that has its gradients."""
    program.prune()
    for one in PASSES:
        one(program)
        program.prune()


def before_gradients(program: Program) -> None:
    """What makes the gradients simple: those of W.T instead of T times W.T, of a Σ instead of a running sum."""
    invariants(program)
    totals(program)
    hints(program)


# -- before the gradients are added ----------------------------------------------------------------------------


def invariants(program: Program) -> None:
    """What only reads values without a loop has itself one value for all steps: W.T."""
    for value in program.values:
        hoisted = value.span is not None and value.operation not in ("element", "unstacked", "unjoined", "same")
        if hoisted and all(read.value.span is None for operand in value.reads for read in operand.within()):
            program.hoist(value)


def totals(program: Program) -> None:
    """A sum that adds a term at each step, and of which only the end is read, is the total of all terms."""
    readers = program.readers()
    for cycle in cycles(program.values):
        if not all(value.operation in ("add", "subtract") for value in cycle):
            continue
        inner = [(value, read) for value in cycle for read in value.reads if read.value in cycle]
        back = [(value, read) for value, read in inner if read.delay]
        is_sum = len(inner) == len(cycle) and len(back) == 1 and back[0][0].span is not None
        if not is_sum or any(v.operation == "subtract" and v.reads[0].value not in cycle for v in cycle):
            continue
        read = back[0][1]
        last, span = read.value, back[0][0].span
        end = last.span and (last.span.stop.moved(-1) if read.delay > 0 else last.span.start)
        outside = [(value, r) for value in cycle for reader, r in readers[value] if reader not in cycle]
        at_end = all(value is last and r.reach == "at" and r.at == end for value, r in outside)
        initial = read.before if read.delay > 0 else read.after
        if not at_end or len(initial) != 1 or abs(read.delay) != 1 or any(v.span != span for v in cycle):
            continue
        if initial[0].reach == "step" or any(v.shape != last.shape for v in cycle):
            continue
        assert span is not None
        terms = [term for value in cycle for term in _terms(program, value, cycle, span)]
        if not initial[0].value.is_zero:
            terms.insert(0, initial[0])
        total = last.like("plus", terms, attributes={}, span=None, name=last.name, component=last.component)
        program.values.append(total)
        for value in cycle:
            value.reads = []
        program.replace(last, once(total))
    program.prune()


def _terms(program: Program, value: Value, cycle: list[Value], span: Span) -> list[Read]:
    """What a running sum adds in one place, as totals over time."""
    found = []
    for read in value.reads:
        if read.value not in cycle:
            if read.value.shape != value.shape:
                read = Read(program.add(value.like("broadcast_to", [read], attributes={"shape": value.shape})))
            total = once(program.add(value.like("total", [read], attributes={}, span=None, over=span)))
            if value.operation == "subtract":
                total = once(program.add(value.like("negative", [total], attributes={}, span=None)))
            found.append(total)
    return found


def hints(program: Program) -> None:
    """The letter a for what a named value is a function of, as the lecture has it: h = tanh(a), f = σ(a_f)."""
    readers = program.readers()
    found = []
    for value in program.values:
        named = [reader for reader, _ in readers[value] if reader is not None]
        is_sum = value.operation in ("add", "plus", "matmul") and not value.name and len(readers[value]) == 1
        if is_sum and len(named) == 1 and named[0].operation in ACTIVATIONS:
            found.append((value, named[0].name))
    for value, name in found:
        value.hint = "a" if len(found) == 1 else f"a_{name}" if name else ""


# -- sums over time --------------------------------------------------------------------------------------------


def contractions(program: Program) -> None:
    """Σₜ aₜᵀ bₜ is one product of two tall matrices; a sum over the rows of each step is one over all rows."""
    readers = program.readers()
    pending = [value for value in program.values if value.operation == "total"]
    for total in pending:  # grows while it is walked
        read = total.reads[0]
        term = read.value
        if not read.is_plain or len(readers.get(term, [read])) > 1 or term.name:
            continue
        if term.operation == "transpose" and len(term.shape) == 2:
            inner = total.like("total", term.reads, over=total.over, shape=term.shape[::-1])
            pending.append(program.add(inner))
            total.operation, total.reads, total.over = "transpose", [once(inner)], None
            total.attributes = {"axes": None}
        elif term.operation == "sum" and not term.attributes["keepdims"] and not total.attributes:
            axis, ndim = term.attributes["axis"], len(term.reads[0].value.shape)
            axes = range(ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
            total.attributes, total.reads = {"axis": tuple(axes)}, term.reads
        else:
            operands = _outer(term)
            if operands is not None:
                total.operation, total.reads = "contract", operands
            elif term.operation == "scatter" and _is_by_rows(term):
                total.operation, total.attributes, total.over = "scatter", term.attributes, None
                total.reads = [Read(r.value, "all") for r in term.reads]
    for value in program.values:
        if value.operation == "transpose" and value.reads[0].value.operation == "contract":
            contract = value.reads[0].value
            value.operation, value.attributes, value.over = "contract", {}, contract.over
            value.reads = contract.reads[::-1]


def _outer(term: Value) -> list[Read] | None:
    """The a and b of a product aᵀ b: of matrices, or written as one of a column and a row."""
    if term.operation not in ("matmul", "multiply") or len(term.shape) != 2:
        return None
    a, b = term.reads
    if term.operation == "matmul" and a.value.operation == "transpose" and a.is_plain and a.value.span:
        operands = [a.value.reads[0], b]
        return operands if _move(operands) and len(b.value.shape) == 2 else None
    if all(
        r.value.operation == "expand_dims" and r.is_plain and len(r.value.shape) == 2 and r.value.span for r in (a, b)
    ):
        axes = [r.value.attributes["axis"] for r in (a, b)]
        if axes in ([-2, -1], [-1, -2]):
            row, column = (a, b) if axes == [-2, -1] else (b, a)
            operands = [column.value.reads[0], row.value.reads[0]]
            return operands if _move(operands) else None
    return None


def _move(operands: list[Read]) -> bool:
    """Whether each is another one at each step."""
    return all(read.value.span is not None and read.reach == "step" for read in operands)


def _is_by_rows(scatter: Value) -> bool:
    """Whether it adds rows to a table at one array of numbers, and all of its steps can be done at once."""
    whole = all(r.is_plain and r.value.span == scatter.span for r in scatter.reads)
    return whole and len(scatter.attributes["index"]) == 1 and len(scatter.reads) == 2


# -- what is carried from step to step -------------------------------------------------------------------------


def next_steps(program: Program) -> None:
    """The terms of a gradient that come from the next step are added there: dh_next. And where the recursion starts,
    a gradient that is there at the last step alone takes the place of the one from the next."""
    for value in list(program.values):
        if value.operation != "plus" or value.span is None:
            continue
        _one_end(program, value)
        delayed = [read for read in value.reads if read.reach == "step" and read.delay and read.padded]
        groups = {(read.delay, read.value.span): read for read in delayed}
        for (delay, span), _ in groups.items():
            terms = [read for read in delayed if (read.delay, read.value.span) == (delay, span)]
            if len(terms) > 1 or terms[0].value.name or _is_shared(program, terms[0]):
                name = _later(value, delay)
                read = value.like("plus", [Read(r.value) for r in terms], attributes={}, span=span, name=name)
                joined = Read(program.add(read), delay=delay, padded=True)
                _together(program, terms, read)
            else:
                joined = terms[0]
                joined.value.name = _later(value, delay)
            value.reads = [read for read in value.reads if read not in terms] + [joined]
            _at_the_end(value, joined)


def _one_end(program: Program, value: Value) -> None:
    """Terms that are there at one and the same step alone are added up first."""
    ends = [read for read in value.reads if read.value.operation == "same" and read.is_only_padded]
    for end in ends:
        same = [read for read in ends if read in value.reads and read.value.span == end.value.span]
        if len(same) > 1:
            total = value.like("plus", [read.value.reads[0] for read in same], attributes={}, span=None)
            only = end.value.like("same", [once(program.add(total))])
            value.reads = [read for read in value.reads if read not in same]
            value.reads.append(Read(program.add(only), padded=True))


def _later(value: Value, delay: int) -> str:
    """What the part of a gradient is called that comes from another step."""
    return f"{value.name}_{'next' if abs(delay) == 1 else f'{abs(delay)}_later'}" if value.name else ""


def _together(program: Program, terms: list[Read], joined: Value) -> None:
    """Where the terms are added at one end of the loop too, their sum is read there."""
    for value in program.values:
        for at in {read.at for read in value.reads if read.reach == "at"} if value.operation == "plus" else ():
            ends = [read for read in value.reads if read.reach == "at" and read.at == at]
            found = [read for read in ends if any(read.value is term.value for term in terms)]
            if len(found) == len(terms) > 1:
                value.reads = [read for read in value.reads if read not in found] + [Read(joined, "at", at=at)]


def _is_shared(program: Program, term: Read) -> bool:
    return sum(read.value is term.value and read.reach != "at" for _, read in program.reads()) > 1


def _at_the_end(value: Value, joined: Read) -> None:
    """What is there only where the joined term is missing serves there in its place."""
    assert value.span is not None and joined.value.span is not None
    there = joined.value.span.moved(joined.delay)
    before, after = there.start.missing(value.span.start), value.span.stop.missing(there.stop)
    if (before, after) not in ((0, 1), (1, 0)):
        return
    edge = value.span.start if before else value.span.stop.moved(-1)
    ends = [r for r in value.reads if r is not joined and r.value.span == Span(value.span.loop, edge, edge.moved(1))]
    if len(ends) == 1 and ends[0].value.operation == "same":
        value.reads.remove(ends[0])
        instead = ends[0].value.reads
        joined.padded, joined.before, joined.after = False, instead if before else [], instead if after else []


def views(program: Program) -> None:
    """What only rearranges a value that is computed step by step is done again where all steps of it are needed."""
    of = {value: i for i, cycle in enumerate(cycles(program.values)) for value in cycle}
    for value in list(program.values):
        if value in of and value.operation in REARRANGING and [r.reach for r in value.reads] == ["step"]:
            again = value.like(value.operation, value.reads)
            for reader in list(program.values):
                for operand in reader.reads if of.get(reader) != of[value] else ():
                    if operand.value is value:
                        operand.value = again
            program.values.append(again)


def delayed_sequences(program: Program) -> None:
    """A sequence that is read a step later in several places is put together once: y_before."""
    found: list[tuple[Read, Value]] = []
    for value in list(program.values):
        for i, read in enumerate(value.reads):
            span = value.over or value.span
            if read.value.operation == "element" and (read.before or read.after) and span is not None:
                known = next((v for r, v in found if r.same(read) and v.span == span), None)
                if known is None:
                    array = read.value.reads[0].value.name
                    name = f"{array}_{'before' if read.before else 'after'}" if array else ""
                    known = read.value.like("same", [read], attributes={}, span=span, name=name)
                    found.append((read, program.add(known)))
                value.reads[i] = Read(known)


def reassociate(program: Program) -> None:
    """In a sum or a product that can only be computed step by step, take together first what can be for all steps."""
    on_cycle = {value: i for i, cycle in enumerate(cycles(program.values)) for value in cycle}
    readers = program.readers()
    for value in list(program.values):
        if value in on_cycle and value.operation in ("plus", "multiply"):
            operands = _operands(value, value.operation, on_cycle, readers)
            free = [r for r in operands if on_cycle.get(r.value) != on_cycle[value] and _may_move(r, value)]
            if len(free) < 2 or not any(read.value.span for read in free):
                continue
            if not any(read.value.shape == value.shape for read in free):
                continue
            bound = [read for read in operands if read not in free]
            together = value.like(value.operation, free[:2] if value.operation == "multiply" else free, attributes={})
            for read in free[2:] if value.operation == "multiply" else []:
                together = value.like("multiply", [Read(program.add(together)), read], attributes={})
            chain = (
                [*bound, Read(program.add(together))]
                if value.operation == "multiply"
                else [Read(program.add(together)), *bound]
            )
            while value.operation == "multiply" and len(chain) > 2:
                product = value.like("multiply", chain[:2], attributes={})
                on_cycle[product] = on_cycle[value]
                chain[:2] = [Read(program.add(product))]
            value.reads = chain


def _operands(value: Value, operation: str, on_cycle: dict, readers: dict) -> list[Read]:
    """The terms or factors of a value, with those of what it alone reads and is of the same kind."""
    found = []
    for read in value.reads:
        inner = read.value
        own = inner in on_cycle and len(readers.get(inner, [])) == 1 and not inner.name and inner.span == value.span
        if own and read.is_plain and inner.operation == operation and inner.shape == value.shape:
            found += _operands(inner, operation, on_cycle, readers)
        else:
            found.append(read)
    return found


def _may_move(read: Read, value: Value) -> bool:
    """Whether an operand is there at all steps of a value, so that it can be taken out of its loop."""
    return read.is_plain and (read.value.span is None or bool(value.span and read.value.span.covers(value.span)))


PASSES: Iterable[Callable[[Program], None]] = (
    plain_slopes,
    invariants,
    copies,
    numbers,
    transposes,
    invariants,
    copies,
    broadcasts,
    sums,
    slices,
    common,
    contractions,
    next_steps,
    copies,
    views,
    reassociate,
    delayed_sequences,
)
