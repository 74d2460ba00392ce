"""The CSV: names that CompressAI-Vision's scripts read, and every record."""

import csv
import io
from dataclasses import replace

from synthetic_results import synthetic_results
from t4vcodec.eval.csv_table import to_csv

RESULTS = synthetic_results(seeds=2, frames=10, schemes=("t4v", "fec-sound-3"))


def rows(results):
    return list(csv.DictReader(io.StringIO(to_csv(results))))


def test_every_record_is_a_line():
    found = rows(RESULTS)
    assert len(found) == len(RESULTS.records)
    assert list(found[0])[:8] == [
        *("Dataset", "fps", "num_of_coded_frame", "qp", "bitrate (kbps)", "end_accuracy", "encode", "decode")
    ]
    assert {"channel", "loss", "seed", "scheme", "ssim_db", "psnr_y"} <= set(found[0])
    for row, record in zip(found, RESULTS.records):
        assert (row["Dataset"], row["scheme"], row["channel"]) == (record.clip, record.scheme, record.channel)
        assert (float(row["loss"]), int(row["seed"])) == (record.loss, record.seed)
        assert float(row["ssim_db"]) == record.ssim_db
        assert float(row["bitrate (kbps)"]) == record.kbps_sent
        assert float(row["encode"]) == round(record.frames / record.encode_fps, 4)
        assert (row["fps"], row["end_accuracy"]) == ("25", "")


def test_quality_of_standard_codecs_is_the_qp():
    for row, record in zip(rows(RESULTS), RESULTS.records):
        assert row["qp"] == ("" if record.scheme == "t4v" else str(record.config["crf"]))


def test_each_recogniser_has_a_line():
    record = replace(RESULTS.records[0], tasks={"action": 0.75, "pose": {"mean": 1}}, vmaf=None, decode_fps=0)
    found = rows(replace(RESULTS, records=[record], clips=[]))
    assert [(row["task"], row["end_accuracy"]) for row in found] == [("action", "0.75"), ("pose", "")]
    assert (found[0]["vmaf"], found[0]["decode"], found[0]["fps"]) == ("", "", "")
