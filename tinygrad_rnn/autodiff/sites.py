"""Places in the user's code: the expression that is running, with its file and line."""

from __future__ import annotations

import dis
import linecache
import os
import sys
from functools import lru_cache
from types import CodeType, FrameType
from typing import NamedTuple

import numpy as np

_CACHE = dis.opmap["CACHE"]
_PRECALL = dis.opmap.get("PRECALL")
_STORE = dis.opmap["STORE_SUBSCR"]
_FOLDER = os.path.dirname(os.path.dirname(__file__)) + os.sep
_NUMPY = os.path.dirname(np.__file__) + os.sep


class Place(NamedTuple):
    """An expression in a source file; columns are UTF-8 byte offsets, as in `code.co_positions()`."""

    file: str
    function: str
    line: int
    end_line: int
    column: int
    end_column: int

    def text(self) -> str:
        """The expression as written, on one line; "" where the source cannot be read."""
        lines = [linecache.getline(self.file, n).encode() for n in range(self.line, self.end_line + 1)]
        if not any(lines):
            return ""
        lines[-1] = lines[-1][: self.end_column]
        lines[0] = lines[0][self.column :]
        return " ".join(b" ".join(lines).decode(errors="replace").split())

    def __str__(self) -> str:
        inside = os.path.relpath(self.file) if self.file.startswith(os.getcwd() + os.sep) else self.file
        return f"{inside}:{self.line}"


def place(code: CodeType, instruction: int) -> Place:
    """The place of the instruction at byte offset `instruction` of `code`."""
    line, end_line, column, end_column = _positions(code)[instruction // 2]
    line = line or code.co_firstlineno
    # Under -X no_debug_ranges Python knows lines but no columns: the place is the whole line.
    return Place(code.co_filename, code.co_qualname, line, end_line or line, column or 0, end_column or sys.maxsize)


@lru_cache(maxsize=1024)
def _positions(code: CodeType) -> tuple[tuple[int | None, int | None, int | None, int | None], ...]:
    """Those of all instructions: to find one of them Python counts from the first."""
    return tuple(code.co_positions())


def instruction_at(code: CodeType, offset: int) -> int:
    """The byte offset at which the instruction begins.

    The offset of a running frame may point into the inline cache that follows the instruction; Python 3.11 may run a
    call at the PRECALL before it. Whether it does can change while the program runs, because the interpreter
    specialises code that runs often.
    """
    units = code.co_code
    while units[offset] == _CACHE:
        offset -= 2
    return offset + 4 if units[offset] == _PRECALL else offset


def is_engine(code: CodeType) -> bool:
    return code.co_filename.startswith(_FOLDER)


def user_frame() -> FrameType | None:
    """The innermost frame that is neither the engine's own nor NumPy's."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith((_FOLDER, _NUMPY)):
        frame = frame.f_back
    return frame


def stores_an_item() -> bool:
    """Whether the user's instruction that is running is ``a[i] = …``."""
    frame = user_frame()
    return frame is not None and frame.f_code.co_code[instruction_at(frame.f_code, frame.f_lasti)] == _STORE


def here() -> str:
    """The user's expression that is running, and its place: ``x @ U.T   at model.py:41``."""
    frame = user_frame()
    if frame is None:
        return ""
    at = place(frame.f_code, frame.f_lasti)
    return f"{at.text()}   at {at}".strip()
