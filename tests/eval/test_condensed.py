"""Results without their single runs."""

import json

import pytest
from t4vcodec.eval.condensed import condensed, main


def record(**changes):
    base = {
        "clip": "a",
        "channel": "0.3",
        "scheme": "fec-sound-3",
        "config": {"point": 600.0, "tune": "ssim", "share": 4},
        "kbps_sent": 200.0,
        "ssim_db": 9.0,
        "ssim_db_p10": 7.0,
        "psnr_y": 30.0,
        "delay_ms": {"median": 0.0, "p95": 120.0},
        "codec": "x264",
        "preset": "medium",
        "protection": "rs",
        "redundancy": 1.0,
        "block": 1,
        "reference": {"ssim_db": 12.0, "psnr_y": 33.0},
    }
    return base | changes


def test_cells_hold_means_over_seeds():
    ours = record(scheme="t4v", config={"point": 600.0}, reference=None, ssim_db=8.5)
    out = condensed({"schema": 1, "command": "x", "records": [record(), record(ssim_db=6.0), ours]})
    assert out["command"] == "x"
    assert "records" not in out
    theirs, mine = out["cells"]
    assert (theirs["seeds"], theirs["ssim_db"], theirs["redundancy"], theirs["share"]) == (2, 7.5, 1.0, 4)
    assert theirs["reference_ssim_db"] == 12.0
    assert (mine["scheme"], mine["ssim_db"]) == ("t4v", 8.5)
    assert "codec" not in mine


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"records": [{}]}', '{"records": 3}'])
def test_what_is_no_results_is_named(tmp_path, capsys, text):
    source, out = tmp_path / "in.json", tmp_path / "out.json"
    source.write_text(text)
    assert main([str(source), str(out)]) == 2
    assert str(source) in capsys.readouterr().err
    assert not out.exists()


def test_it_writes_what_it_read(tmp_path, capsys):
    source, out = tmp_path / "in.json", tmp_path / "out.json"
    source.write_text(json.dumps({"records": [record()], "summary": [{"regime": "one-way"}]}))
    assert main([str(source), str(out)]) == 0
    assert json.loads(out.read_text())["summary"] == [{"regime": "one-way"}]
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err
