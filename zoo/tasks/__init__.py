"""Tasks with a known answer: beside each stands the figure that chance, a proof or a simpler model gives,
so that a trained network's loss says what the network has learnt.

All are drawn by a seeded generator or read from what Python itself carries; nothing is downloaded.
"""

from typing import Any

from .adding import Adding
from .bits import FairBits, LookAheadXor, RunningXor
from .chain import FlippingChain
from .characters import Characters
from .copy_memory import CopyMemory
from .copying import Copying
from .dates import Dates
from .facts import Facts
from .listops import ListOps
from .mackey_glass import MackeyGlass
from .orbit import Orbit
from .reber import EmbeddedReber, Reber
from .spelling import Spelling
from .strings import Reversal, Sorting
from .temporal_order import TemporalOrder
from .warped import UniformWarp, VariableWarp

TASKS: dict[str, Any] = {
    "characters": Characters,
    "fair-bits": FairBits,
    "running-xor": RunningXor,
    "look-ahead-xor": LookAheadXor,
    "flipping-chain": FlippingChain,
    "orbit": Orbit,
    "reber": Reber,
    "embedded-reber": EmbeddedReber,
    "adding": Adding,
    "temporal-order": TemporalOrder,
    "copy-memory": CopyMemory,
    "uniform-warp": UniformWarp,
    "variable-warp": VariableWarp,
    "mackey-glass": MackeyGlass,
    "spelling": Spelling,
    "reversal": Reversal,
    "dates": Dates,
    "sorting": Sorting,
    "listops": ListOps,
    "copying": Copying,
    "facts": Facts,
}
"""By the names that ``python -m zoo train MODEL --task TASK`` knows."""
