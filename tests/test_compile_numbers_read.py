"""A record says where Python took numbers out of tensors: what is done with them it cannot know."""

import numpy as np
import pytest

import tinygrad_rnn as tg

W = tg.Parameter(np.eye(2))
READ = {
    "item": lambda x: x.sum().item(),
    "float": lambda x: float(x.sum()),
    "int": lambda x: int(x.sum()),
    "bool": lambda x: bool(x.sum() > 0),
    "if": lambda x: 1 if x.sum() > 0 else 2,
    "tolist": lambda x: x.tolist(),
    "data": lambda x: x.data.mean(),
    "asarray": lambda x: np.asarray(x).mean(),
    "index": lambda x: [1, 2][x[0, 0].astype(int)],
    "array": lambda x: np.array([x[0], x[1]]),
    "allclose": lambda x: tg.allclose(x, 0),
    "array_equal": lambda x: tg.array_equal(x, x),
    "print": lambda x: f"{x.sum():.3f}",
}


@pytest.mark.parametrize("read", READ.values(), ids=READ)
def test_numbers_that_python_reads_are_told_with_their_line(read):
    def model(x):
        read(x)
        return (x @ W).sum()

    (place,) = set(tg.record(model, np.zeros((2, 2))).read_by_python)
    line = read.__code__.co_firstlineno
    assert place.endswith(f"test_compile_numbers_read.py:{line}")


def test_shapes_dtypes_and_what_the_engine_looks_at_itself_are_not_told():
    def model(x, y):
        o = np.zeros(x.shape, x.dtype) + x @ W * len(x) / x.size
        return tg.cross_entropy(o, y) + tg.softmax(tg.embedding(W, y)).sum() + tg.one_hot(y, 2).mean() + x[y].sum()

    graph = tg.record(model, np.ones((2, 2)), np.array([0, 1]))
    assert graph.read_by_python == graph.backward().read_by_python == []


def test_nothing_is_told_where_nothing_is_recorded():
    x = tg.Tensor(np.ones((2, 2)))
    assert READ["data"](x) == READ["asarray"](x) == 1
