"""The README's example runs as it stands, and it names no command or option that is not there."""

import re
from pathlib import Path

import click
import numpy as np
from t4vcodec.cli import main
from t4vcodec.media import Frame

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_five_lines_of_python():
    (code,) = re.findall(r"```python\n(.*?)```", README, re.S)
    assert len([line for line in code.splitlines() if line]) == 5
    plane = np.tile(np.arange(640, dtype=np.uint8), (360, 1))
    chroma = np.full((180, 320), 128, np.uint8)
    names = {"frame": Frame(plane, chroma, chroma, 0.0)}
    exec(code, names)
    (picture,) = names["pictures"]
    assert picture.y.shape == (360, 640)


def test_commands_and_options_exist():
    used = re.findall(
        r"t4vcodec ([\w-]+)((?: +[^\n`]+)?)", "\n".join(re.findall(r"```sh\n(.*?)```", README, re.S))
    )
    assert {name for name, _ in used} == set(main.commands)
    for name, rest in used:
        command = main.commands[name]
        if isinstance(command, click.Group):
            command = command.commands[rest.split()[0]]
        known = {option for parameter in command.params for option in parameter.opts}
        assert set(re.findall(r"--[\w-]+", rest)) <= known
