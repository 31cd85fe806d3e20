"""What the README shows runs as it stands there."""

import re
from pathlib import Path

from viz.__main__ import main

README = Path(__file__).parent.parent / "README.md"


def test_the_code_of_the_readme_runs_from_top_to_bottom(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    code = compile("\n".join(blocks), str(tmp_path / "readme.py"), "exec")
    exec(code, {"__name__": "readme"})
    printed = capsys.readouterr().out
    assert "Tensor([1. , 0.5])" in printed
    assert "tanh" in printed
    assert (tmp_path / "build" / "model.svg").read_text(encoding="utf-8").startswith("<")


def test_every_file_the_readme_names_exists():
    names = re.findall(r"`((?:zoo|viz|tinygrad_rnn|tests)/[\w/.]+\.py)`", README.read_text(encoding="utf-8"))
    assert len(names) >= 8
    assert [name for name in names if not (README.parent / name).exists()] == []


def test_the_equations_in_the_readme_are_what_the_command_before_them_derives(capsys):
    text = README.read_text(encoding="utf-8")
    ((command, shown),) = re.findall(
        r"`python -m viz (equations [^`]*)` derives them:\n\n```\n(.*?)```", text, re.DOTALL
    )
    assert main(command.split()) == 0
    assert capsys.readouterr().out == shown
