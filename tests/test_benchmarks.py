"""The benchmarks run, and what they compare computes the same. Times are not asserted: see `python -m benchmarks`."""

import importlib.util
import json
import shutil
import sys
from functools import partial
from importlib.metadata import version

import numpy as np
import pytest

import tinygrad_rnn as tg
from benchmarks import chain, checkpoint, compare, draw, imports, lines, lstm, record
from benchmarks.__main__ import main
from benchmarks.measure import Table, exponent, growth, peak_bytes, ratio

needs_graphviz = pytest.mark.skipif(
    not shutil.which("dot") and not importlib.util.find_spec("pygraphviz"), reason="needs Graphviz"
)
TINY = {"tiny": lstm.Size(T=3, B=2, D=4, H=5)}


# What is measured


@pytest.mark.parametrize("name", lstm.installed()[0])
def test_the_frameworks_agree_on_the_loss_and_all_gradients(name):
    ours, peer = (lstm.step(framework, TINY["tiny"]) for framework in (lstm.tinygrad_rnn(), lstm.installed()[0][name]))
    lstm.check_agreement(ours(), peer(), name)
    lstm.check_agreement(ours(), peer(), name)  # a second step starts afresh


def test_a_wrong_gradient_is_noticed():
    loss, gradients = lstm.step(lstm.tinygrad_rnn(), TINY["tiny"])()
    wrong = [gradients[0] * 1.001, *gradients[1:]]
    with pytest.raises(AssertionError, match="∂L/∂W"):
        lstm.check_agreement((loss, gradients), (loss, wrong), "it")


def test_the_lstm_of_the_benchmark_starts_at_the_loss_of_a_guess():
    size = lstm.Size(T=3, B=100, D=4, H=5)
    loss, gradients = lstm.step(lstm.tinygrad_rnn(), size)()
    assert loss.item() == pytest.approx(3 * np.log(4), rel=0.2)
    assert [g.shape for g in gradients] == [(20, 5), (20, 4), (20,), (4, 5), (4,)]


def test_checkpointed_pieces_give_the_same_gradients():
    network = checkpoint.Network(T=10, B=2, D=3, H=4)
    for kept, again in zip(network.train(), network.train_in_pieces(), strict=True):
        np.testing.assert_allclose(again, kept, rtol=1e-12)


def test_a_peer_that_is_not_installed_is_said_to_be_missing(monkeypatch):
    for package in "torch", "autograd", "mygrad":
        monkeypatch.setitem(sys.modules, package, None)
    assert lstm.installed() == ({}, ["PyTorch", "autograd", "MyGrad"])
    table = lstm.run(TINY, {"tiny": 1})
    assert [row[:2] for row in table.rows] == [["tiny", "tinygrad_rnn"]]
    assert "PyTorch is not installed: not compared" in table.notes


def test_the_engine_differentiates_twice_and_goes_back_through_a_chain_of_any_length():
    engine = compare.tinygrad_rnn()
    assert compare.differentiates_twice(engine)
    assert compare.goes_back(engine, 20_000)


def test_an_engine_that_cannot_is_said_to_be_unable():
    def recursive(f):
        return lambda x: recursive(f)(x)

    number = compare.Engine(("it",), float, lambda f: lambda x: x.grad)
    assert not compare.differentiates_twice(number)
    assert not compare.goes_back(number._replace(derivative=recursive), 1)


def test_a_row_has_one_fact_for_each_engine_that_is_installed(monkeypatch):
    for package in "torch", "autograd", "mygrad", "micrograd.engine":
        monkeypatch.setitem(sys.modules, package, None)
    table = compare.run(100)
    assert table.columns[1:] == [f"tinygrad_rnn {version('tinygrad_rnn')}"]
    facts = dict(table.rows)
    assert facts["packages that it needs"] == 2  # numpy and graphviz
    assert facts["MB on disk, with them"] > 10
    assert [facts[what] for what in ("derivatives of derivatives", "convolution", "GPU")] == ["yes", "no", "no"]
    assert table.notes[-4:] == [
        f"{name} is not installed: not compared" for name in ("torch", "autograd", "mygrad", "micrograd")
    ]


# Running them


@pytest.mark.parametrize(
    ("run", "rows"),
    [
        (partial(compare.run, 100), 7),
        (partial(lstm.run, TINY, {"tiny": 1}), 1 + len(lstm.installed()[0])),
        (partial(chain.run, [10, 20], rounds=1), 2),
        (partial(checkpoint.run, [4, 9, 16], B=2, D=3, H=4, rounds=1), 3),
        (partial(record.run, [3], B=2, D=3, H=4, rounds=1), 2),
        pytest.param(partial(draw.run, [3], [3, 5], [], rounds=1), 3, marks=needs_graphviz),
        (partial(imports.run, interpreters=1), 1),
    ],
    ids=["compare", "lstm", "chain", "checkpoint", "record", "draw", "imports"],
)
def test_each_benchmark_gives_a_table(run, rows, capsys):
    table = run()
    assert len(table.rows) == rows
    assert {len(row) for row in table.rows} == {len(table.columns)}
    for row in table.rows:
        assert all(cell > 0 for cell in row if isinstance(cell, float))


def test_the_command_prints_the_tables_and_writes_the_figures(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(chain, "run", partial(chain.run, [10, 20], rounds=1))
    monkeypatch.setattr(sys, "argv", ["benchmarks", "chain", "--json", str(tmp_path / "figures.json")])
    main()
    assert "A chain of operations" in capsys.readouterr().out
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert [row[0] for row in figures["chain"]["rows"]] == [10, 20]


def test_the_command_names_the_benchmarks_there_are(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmarks", "lstn"])
    with pytest.raises(SystemExit):
        main()
    assert "there is no benchmark lstn: there are compare, lines, lstm, chain" in capsys.readouterr().err


# Measuring


def test_a_table_aligns_its_columns():
    table = Table("Ways", ["T", "ms"], [[1000, 0.012345], [5, None]], ["a note"])
    assert str(table) == "Ways\n────\n    T      ms\n1,000  0.0123\n    5       –\na note"


def test_peak_memory_counts_arrays_while_they_live():
    assert 8e6 <= peak_bytes(lambda: np.ones(10**6).sum()) < 8.1e6


def test_growth_is_fitted():
    assert exponent([1, 4, 16], [3, 6, 12]) == pytest.approx(0.5)
    assert growth([1, 4, 9, 16], [5, 7, 9, 11]) == pytest.approx((3, 2, 0.5))


def test_a_ratio_is_the_median_of_the_pairs_ratios():
    assert ratio([2, 30, 4], [1, 10, 1]) == 3


def test_a_backward_pass_runs_at_most_110_lines_in_4_files_and_pattern_1_140_in_5():
    figures = {(network, engine): (count, files) for network, engine, count, _, files in lines.run().rows}
    count, files = figures["README's ten lines", "tinygrad_rnn"]
    assert 50 < count <= 110
    assert files <= 4
    count, files = figures["pattern I of the zoo", "tinygrad_rnn"]
    assert 50 < count <= 140
    assert files <= 5


def test_lines_are_counted_once_and_of_the_package_alone():
    def twice():
        for _ in range(2):
            tg.name(tg.Tensor(1.0), "x")
            len("not ours")

    once = lines.counted(lambda: tg.name(tg.Tensor(1.0), "x"), "tinygrad_rnn")
    assert lines.counted(twice, "tinygrad_rnn") == once
    assert once.files == 1
