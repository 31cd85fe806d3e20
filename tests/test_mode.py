"""no_grad and detect_anomaly hold in their block, function, generator or coroutine, and nowhere else."""

import asyncio
import threading

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.autodiff.mode import Mode, current_mode


def follows():
    """Whether gradients are followed here."""
    return (tg.Parameter(np.ones(2)) * 2).requires_grad


@tg.no_grad()
def counting():
    """A generator that says at each step whether gradients are followed, and takes what it is sent."""
    got = []
    while len(got) < 3:
        try:
            got.append((yield follows()))
        except KeyError:
            got.append("KeyError")
    return got


def test_a_decorated_generator_runs_without_gradients_and_its_caller_with_them():
    steps = counting()
    seen = [next(steps)]
    assert follows()
    seen.append(steps.send("a"))
    seen.append(steps.throw(KeyError))
    assert follows()
    with pytest.raises(StopIteration) as end:
        steps.send("b")
    assert seen == [False, False, False]
    assert end.value.value == ["a", "KeyError", "b"]
    assert current_mode() == Mode()


def test_closing_a_decorated_generator_runs_its_cleanup_without_gradients():
    seen = []

    @tg.no_grad()
    def steps():
        try:
            yield 1
        finally:
            seen.append(follows())

    running = steps()
    next(running)
    running.close()
    assert seen == [False]
    assert follows()


def test_a_decorated_coroutine_runs_without_gradients_while_others_have_them():
    async def outside():
        await asyncio.sleep(0)
        return follows()

    @tg.no_grad()
    async def inside():
        before = follows()
        await asyncio.sleep(0)
        return before, follows()

    async def both():
        return await asyncio.gather(inside(), outside())

    assert asyncio.run(both()) == [(False, False), True]


def test_an_asynchronous_generator_is_refused_with_the_mend():
    with pytest.raises(TypeError, match=r"^steps is an asynchronous generator: use a `with` block in its body$"):

        @tg.no_grad()
        async def steps():
            yield 1


def test_a_block_that_a_generator_leaves_in_another_thread_ends_in_the_thread_that_entered_it():
    def steps():
        with tg.no_grad():
            yield

    running = steps()
    next(running)
    assert not follows()
    seen = []

    def finish():
        next(running, None)
        seen.append(follows())

    thread = threading.Thread(target=finish)
    thread.start()
    thread.join()
    assert seen == [True]
    assert follows()


def test_a_decorated_function_may_call_itself_and_keeps_its_name_and_text():
    @tg.no_grad()
    def countdown(n):
        """Says when."""
        return [follows()] + (countdown(n - 1) if n else [])

    assert countdown(2) == [False] * 3
    assert (countdown.__name__, countdown.__doc__) == ("countdown", "Says when.")
    assert follows()


def test_one_mode_object_can_be_entered_again_and_within_itself():
    block = tg.no_grad()
    with block:
        with block:
            assert not follows()
        assert not follows()
    assert follows()
    with block:
        assert not follows()
