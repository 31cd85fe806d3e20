"""From DOT text to a picture: the one place that runs Graphviz.

Graphviz is a command, `dot`; where that is not installed, the Graphviz inside the `pygraphviz` wheel serves, run as a
command too.  Either reads DOT on stdin and writes the picture to stdout.
"""

import contextlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

from viz.labels import SUPERSCRIPTS

LOWERED = {raised: chr(plain) for plain, raised in SUPERSCRIPTS.items()}
RAISED = re.compile(f"[{''.join(map(chr, LOWERED))}]+")
FORMATS = {".svg": "svg", ".png": "png", ".pdf": "pdf", ".dot": "dot", ".gv": "dot"}

# "neato" takes every position as the DOT text gives it, of nodes and of edges; "dot" searches for a layout.
LAYOUTS = {"neato": "nop2", "dot": "dot"}

PYGRAPHVIZ = """
import sys, pygraphviz
sys.tracebacklimit = 0
graph = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode())
sys.stdout.buffer.write(graph.draw(prog=sys.argv[1], format=sys.argv[2]))
"""


class RendererMissing(RuntimeError):
    """There is no Graphviz to draw with."""


class RenderError(RuntimeError):
    """Graphviz could not draw this; the message is what it said."""


def render(source: str, path: str | os.PathLike[str], engine: str = "dot") -> Path:
    """Draw DOT text into a file, whose extension chooses the format, and return its path.

    Missing folders are made.  The file appears whole or not at all.  Without Graphviz the DOT text is still written,
    beside the picture that could not be.

    Raises ValueError for an unknown extension or engine, RendererMissing, RenderError, and OSError naming the path.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"cannot tell the format of {path.name!r}; known extensions: {', '.join(FORMATS)}")
    format = FORMATS[path.suffix.lower()]
    if format == "dot":
        return write(path, source.encode())
    try:
        return write(path, _draw(source, format, engine))
    except RendererMissing as missing:
        written = write(path.with_suffix(".dot"), source.encode())
        raise RendererMissing(f"{missing}; the DOT text is in {written}") from None


def svg(source: str, engine: str = "dot") -> str:
    """The `<svg>` element alone, to be placed in a page or a notebook."""
    text = _draw(source, "svg", engine).decode()
    return text[text.index("<svg") :]


def _draw(source: str, format: str, engine: str) -> bytes:
    run = subprocess.run(_command(format, engine), input=source.encode(), capture_output=True, check=False)
    said = run.stderr.decode(errors="replace").strip()
    if run.returncode or any(line.startswith("Error:") for line in said.splitlines()):
        raise RenderError(f"Graphviz could not draw this: {said or f'exit status {run.returncode}'}")
    return _raised(run.stdout.decode()).encode() if format == "svg" else run.stdout


def _raised(svg: str) -> str:
    """With superscripts set in the letters of their label: few fonts have those of Unicode, and fewer in italics.

    Subscripts are moved as far down as all browsers understand it.
    """
    svg = svg.replace('baseline-shift="sub"', 'dy="0.3em"')
    return re.sub(r"(?<=>)[^<>]*(?=</text>)", lambda text: RAISED.sub(_up, text[0]), svg)


def _up(run: re.Match[str]) -> str:
    letters = run[0].translate(LOWERED)
    return f'<tspan dy="-0.45em" font-size="72%">{letters}</tspan><tspan dy="0.324em">\u200b</tspan>'


def _command(format: str, engine: str) -> list[str]:
    if engine not in LAYOUTS:
        raise ValueError(f"unknown engine {engine!r}; known: {', '.join(LAYOUTS)}")
    if executable := shutil.which("dot"):
        return [executable, f"-K{LAYOUTS[engine]}", f"-T{format}"]
    if importlib.util.find_spec("pygraphviz"):
        return [sys.executable, "-P", "-c", PYGRAPHVIZ, LAYOUTS[engine], format]
    raise RendererMissing(
        "no Graphviz to draw with: install Graphviz (apt-get install graphviz, brew install graphviz) "
        "or pip install pygraphviz"
    )


def write(path: Path, content: bytes) -> Path:
    """Write beside the path, then rename: no reader ever sees half a file. Makes missing folders.

    Raises OSError, which names the path.
    """
    part = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise OSError(error.errno, f"cannot write: {error.strerror}", str(path)) from error
    return path
