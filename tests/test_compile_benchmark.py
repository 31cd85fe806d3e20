"""The benchmark of compiled steps runs, and its models compile. Times are not asserted."""

import pytest

from benchmarks import compiled
from benchmarks.lstm import Size


@pytest.mark.parametrize("name", compiled.MODELS)
def test_the_benchmark_gives_a_row_for_a_model(name, monkeypatch):
    monkeypatch.setattr(compiled, "MODELS", {name: compiled.MODELS[name]})
    table = compiled.run({"tiny": Size(T=3, B=2, D=4, H=5)}, {"tiny": 1})
    ((model, size, *figures),) = table.rows
    assert (model, size, len(table.columns)) == (name, "tiny", 2 + len(figures))
    assert all(figure > 0 for figure in figures)
