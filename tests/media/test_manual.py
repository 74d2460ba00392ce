"""The head of the module is its manual: what it shows is what happens; and importing it stays light."""

import doctest
import subprocess
import sys

import t4vcodec.media


def test_examples(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(t4vcodec.media)
    assert result.attempted > 5
    assert result.failed == 0


def test_import_loads_neither_av_nor_torch(tmp_path):
    code = "import sys, t4vcodec.media; print([m for m in ('av', 'torch', 'scipy') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
