"""The notebook docs/tour.ipynb runs from top to bottom, and shows what it says it shows.

UPDATE_GOLDEN=1 runs it and keeps its outputs; look at them before committing.
"""

import copy
import json
import os
import pickle
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg
import viz

ROOT = Path(__file__).parent.parent
TOUR = ROOT / "docs" / "tour.ipynb"
LARGEST = 200_000  # bytes


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The notebook without its outputs, run by a new kernel in an empty folder."""
    for package, extra in ("nbformat", "test"), ("nbclient", "test"), ("ipykernel", "test"), ("matplotlib", "gallery"):
        pytest.importorskip(package, reason=f"needs {package}: pip install 'tinygrad_rnn[{extra}]'")
    import nbclient
    import nbformat

    notebook = nbformat.read(TOUR, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.update(outputs=[], execution_count=None)
    folder = tmp_path_factory.mktemp("checkout") / "docs"
    folder.mkdir()
    client = nbclient.NotebookClient(
        notebook, timeout=120, record_timing=False, resources={"metadata": {"path": folder}}
    )
    client.execute(env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])})
    if os.environ.get("UPDATE_GOLDEN") == "1":
        notebook.metadata.language_info = {"name": "python"}  # not the version of this machine's Python
        nbformat.write(notebook, TOUR)
    return notebook


def shown(notebook):
    """What every cell of code shows, by kind: text, LaTeX, the words of an SVG, and that there is a plot."""
    return [[_shown(output) for output in cell.outputs] for cell in notebook.cells if cell.cell_type == "code"]


def _shown(output):
    if output.output_type == "stream":
        return {output.name: output.text}
    assert output.output_type in ("execute_result", "display_data"), output
    data = dict(output.data)
    if "image/svg+xml" in data:
        data["image/svg+xml"] = [text.strip() for text in ElementTree.fromstring(data["image/svg+xml"]).itertext()]
    if "image/png" in data:
        data["image/png"] = "a plot"
    data["text/plain"] = re.sub(r" at 0x[0-9a-f]+", "", data["text/plain"])
    return data


def test_run_again_the_notebook_shows_what_it_keeps(run):
    """If not: UPDATE_GOLDEN=1 pytest tests/test_notebook.py."""
    import nbformat

    assert shown(run) == shown(nbformat.read(TOUR, as_version=4))


def test_names_and_equations_are_read_from_the_cells_of_the_notebook(run):
    (forward, backward) = (d["text/latex"] for out in shown(run) for d in out if "text/latex" in d)
    assert r"h^{(t)} = \left(1 - f^{(t)}\right) \odot h^{(t-1)} + f^{(t)} \odot n^{(t)}" in forward
    assert r"\frac{\partial L}{\partial W^{f}} = \sum_{t}" in backward


def test_the_circuit_and_both_plots_stand_in_the_notebook(run):
    outputs = [output for cell in shown(run) for output in cell]
    diagrams = [output["image/svg+xml"] for output in outputs if "image/svg+xml" in output]
    assert [{"x", "f", "n", "h"} <= set(words) or {"f⁽¹⁾", "h⁽¹⁾"} <= set(words) for words in diagrams] == [True] * 2
    assert sum("image/png" in output for output in outputs) == 2


def test_the_model_of_the_notebook_learns(run):
    assert {"stdout": "solved\n"} in [output for cell in shown(run) for output in cell]


def test_the_notebook_that_is_kept_is_small_ran_in_order_and_names_no_place_of_a_machine():
    text = TOUR.read_text(encoding="utf-8")
    assert len(text.encode()) < LARGEST
    numbers = [cell["execution_count"] for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert numbers == list(range(1, len(numbers) + 1))
    assert re.findall(r"/(?:tmp|home|root|work|Users)/", text) == []


# -- what shows itself ---------------------------------------------------------------------------------------


@pytest.fixture
def graph():
    def model(x):
        h = np.zeros(3)
        for x_t in x:
            h = np.tanh(h + x_t)
        return h.sum()

    return tg.record(model, np.ones((5, 3)))


@pytest.mark.parametrize("format", ["unicode", "latex"])
def test_equations_are_text_that_a_notebook_sets_as_formulas(graph, format):
    equations = viz.equations(graph, format=format)
    assert isinstance(equations, str)
    assert repr(equations) == str(equations)  # so that a prompt shows lines, not \\n
    rows = "".join(rf"& {line} \\" for line in viz.equations(graph, format="latex").splitlines())
    assert rows.count("&") == 3
    assert equations._repr_latex_() == rf"$$\begin{{aligned}}{rows}\end{{aligned}}$$"


def test_equations_stay_what_they_are_when_copied(graph):
    equations = viz.equations(graph)
    for again in copy.copy(equations), copy.deepcopy(equations), pickle.loads(pickle.dumps(equations)):
        assert (again, again._repr_latex_()) == (equations, equations._repr_latex_())


def test_where_there_is_no_picture_a_diagram_is_one_short_line(graph):
    circuit = viz.circuit(graph)
    assert repr(circuit) == f"Diagram: {len(circuit.vertices)} vertices, {len(circuit.arrows)} arrows"
