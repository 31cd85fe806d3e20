"""Imports run downward only, the base install is NumPy and graphviz, and objects themselves are keys."""

import ast
import subprocess
import symtable
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXTRAS = {"matplotlib", "tqdm", "jinja2", "latex2mathml", "pygments", "pygraphviz"}


def _imports(path, top_level_only=False):
    """The top-level packages that a file imports, absolutely."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else ast.walk(tree)
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
    return found - set(sys.stdlib_module_names)


def _files(folder):
    return list((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize(
    ("folder", "known"),
    [
        ("tinygrad_rnn", {"tinygrad_rnn", "numpy"}),
        ("zoo", {"zoo", "tinygrad_rnn", "numpy", "tqdm"}),
        ("viz", {"viz", "zoo", "tinygrad_rnn", "numpy", "graphviz"} | EXTRAS),
    ],
)
def test_a_package_imports_only_what_lies_below_it(folder, known):
    assert {str(p): strange for p in _files(folder) if (strange := _imports(p) - known)} == {}


def test_in_viz_only_the_gallery_and_the_command_line_know_the_zoo():
    may = [*_files("viz/gallery"), ROOT / "viz" / "__main__.py"]
    assert [p for p in _files("viz") if "zoo" in _imports(p) and p not in may] == []


def test_the_extras_are_imported_where_they_are_used_and_not_before():
    early = {str(p): found for p in _files("viz") + _files("zoo") if (found := _imports(p, True) & EXTRAS)}
    assert early == {}


def test_the_packages_import_without_the_extras():
    code = f"""
import sys
for name in {sorted(EXTRAS)!r}: sys.modules[name] = None
import tinygrad_rnn, zoo.pattern_1, zoo.training, viz
assert not {{"zoo", "viz"}} & set(sys.argv)
print(sorted(m for m in sys.modules if m.partition(".")[0] in {sorted(EXTRAS)!r} and sys.modules[m]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_the_engine_imports_neither_graphviz_nor_the_zoo():
    code = "import sys, tinygrad_rnn; print([m for m in ('graphviz', 'zoo', 'viz') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT).stdout == "[]\n"


def _scopes(table):
    yield table
    for inner in table.get_children():
        yield from _scopes(inner)


@pytest.mark.parametrize("folder", ["tinygrad_rnn", "zoo", "viz"])
def test_nothing_is_keyed_by_the_id_of_an_object(folder):
    """The builtin is not used at all, called or handed on as in ``map(id, …)``; a variable may have its name."""
    used = []
    for path in _files(folder):
        for scope in _scopes(symtable.symtable(path.read_text(encoding="utf-8"), str(path), "exec")):
            names = [symbol for symbol in scope.get_symbols() if symbol.get_name() == "id"]
            used += [(str(path), scope.get_lineno()) for symbol in names if symbol.is_global()]
    assert used == []


def _modules():
    """The modules of tinygrad_rnn by name, and for each the modules of it that it imports, type checking included."""
    files = {}
    for path in _files("tinygrad_rnn"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return {name: _imported(name, path, files) for name, path in files.items()}


def _imported(name, path, files):
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1] + ([node.module] if node.module else [])
            found |= {
                full if (full := ".".join([*base, alias.name])) in files else ".".join(base) for alias in node.names
            }
    return found & files.keys()


def test_no_file_of_the_engine_imports_one_that_imports_it():
    order = list(TopologicalSorter(_modules()).static_order())  # raises CycleError, which names the circle
    assert order.index("tinygrad_rnn.autodiff.reverse") < order.index("tinygrad_rnn.autodiff.tensor")


@pytest.mark.parametrize(
    ("folder", "known"),
    [("autodiff", {"autodiff"}), ("nn", {"autodiff", "nn"}), ("tracing", {"autodiff", "nn", "tracing"})],
)
def test_each_folder_of_the_engine_knows_only_those_below_it(folder, known):
    inside = {name: found for name, found in _modules().items() if name.startswith(f"tinygrad_rnn.{folder}")}
    assert inside
    assert {module.split(".")[1] for found in inside.values() for module in found} <= known
