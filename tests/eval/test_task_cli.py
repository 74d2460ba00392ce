"""`t4vcodec eval --recognizer`: what goes wrong is one line and exit code 2, before anything is measured."""

from __future__ import annotations

import pytest
from labelled_clips import write_labels
from t4vcodec.cli import main


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main(["eval", *arguments])
    return end.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--recognizer", "builtin:nobody"), "no built-in recognizer 'nobody'"),
        (("--recognizer", "gone.safetensors"), "gone.safetensors"),
        (("--recognizer", "something"), "no recognizer 'something'"),
        (("--recognizer", "builtin:fight"), "does not know the class"),
        (("--recognizer", "builtin:fight", "--recognizer", "none"), "stands alone"),
        (("--where", "place=set1"), "belong to a --recognizer"),
        (("--recognizer", "builtin:rendered", "--where", "place"), "KEY=VALUE"),
        (("--recognizer", "builtin:rendered", "--where", "label=dance"), "no clip has label 'dance'"),
        (("--recognizer", "builtin:rendered", "--labels", "gone.csv"), "does not exist"),
        (
            ("--regime", "sessions", "--recognizer", "builtin:rendered"),
            "--recognizer belongs to --regime one-way",
        ),
    ],
)
def test_bad_requests(capsys, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    code, err = run(capsys, *arguments, "--out", str(tmp_path / "out"))
    assert code == 2
    assert words in err
    assert err.startswith("t4vcodec: ")
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_labels_that_name_missing_files(capsys, tmp_path):
    labels = write_labels(tmp_path / "labels.csv", {"nowhere.mp4": "fight"})
    code, err = run(
        capsys,
        "--data",
        str(tmp_path),
        "--recognizer",
        "builtin:fight",
        "--labels",
        str(labels),
        "--out",
        "x",
    )
    assert (code, err.count("\n")) == (2, 1)
    assert "labelled files are missing" in err
