"""The example of docs/network.md runs as it stands and shows what the text says."""

import re
from pathlib import Path

from t4vcodec.network.transports import NAMES

TEXT = (Path(__file__).parent.parent.parent / "docs" / "network.md").read_text(encoding="utf-8")


def test_the_example_runs():
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.S)
    names = {}
    exec(code, names)
    assert len(names["delivered"]) > 285
    assert not names["late"]
    assert names["sent"] > 100 * 3 * 840


def test_every_transport_is_described():
    for name in NAMES:
        assert re.search(rf"^\*\*.*`{name}`", TEXT, re.M), name
