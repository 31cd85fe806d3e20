"""Time the engine beside its peers, and measure the memory it takes.

python -m benchmarks             run all
python -m benchmarks lstm chain  run these
"""

from __future__ import annotations

import argparse
import json
import platform
from dataclasses import asdict
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

NAMES = "compare", "lines", "lstm", "chain", "checkpoint", "record", "draw", "imports", "compiled"


def main() -> None:
    described = "\n".join(f"  {name:<10}  {_describe(name)}" for name in NAMES)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=f"Time the engine beside its peers, and measure the memory it takes.\n\nbenchmarks:\n{described}",
        epilog="Times are processor time of one thread, so other programs that run meanwhile disturb little.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to run (all)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE as well")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in NAMES]
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}: there are {', '.join(NAMES)}")

    print(f"tinygrad_rnn, Python {platform.python_version()}, NumPy {version('numpy')}, {platform.machine()}\n")
    tables = {}
    for name in options.names or NAMES:
        tables[name] = import_module(f"{__package__}.{name}").run()
        print(tables[name], end="\n\n", flush=True)
    if options.json:
        options.json.write_text(json.dumps({name: asdict(table) for name, table in tables.items()}, indent=2) + "\n")
        print(f"The figures are in {options.json}")


def _describe(name: str) -> str:
    return (import_module(f"{__package__}.{name}").__doc__ or "").splitlines()[0]


if __name__ == "__main__":
    main()
