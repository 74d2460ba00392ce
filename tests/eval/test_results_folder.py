"""`t4vcodec report` on what an evaluation left."""

from click.testing import CliRunner
from synthetic_results import synthetic_exhibits, synthetic_results
from t4vcodec.cli import main
from t4vcodec.eval.exhibits import save_exhibits
from t4vcodec.eval.records import write_results


def test_report_and_table(tmp_path):
    schemes = ("t4v", "fec-sound-0", "fec-sound-3", "x264")
    results = synthetic_results(seeds=2, frames=10, schemes=schemes)
    write_results(tmp_path / "results.json", results)
    save_exhibits(tmp_path / "exhibits.npz", synthetic_exhibits())
    table = tmp_path / "records.csv"
    done = CliRunner().invoke(main, ["report", str(tmp_path), "--csv", str(table)])
    assert done.exit_code == 0, done.output
    assert str(tmp_path / "report.html") in done.output
    assert "fec-sound, no added delay" in (tmp_path / "report.html").read_text()
    lines = table.read_text().splitlines()
    assert len(lines) == 1 + len(results.records)
    assert lines[0].startswith("Dataset,fps,num_of_coded_frame,qp,bitrate (kbps),end_accuracy")


def test_a_table_that_cannot_be_written(tmp_path):
    write_results(
        tmp_path / "results.json", synthetic_results(1, 10, ("t4v", "fec-sound-0"), ("foreman-cif-00",))
    )
    done = CliRunner().invoke(main, ["report", str(tmp_path), "--csv", str(tmp_path)], prog_name="t4vcodec")
    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 1
