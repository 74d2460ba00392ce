"""The speed test measures what it says, on a tiny clip."""

import pytest
from t4vcodec.codec import encoder
from t4vcodec.errors import T4VError
from t4vcodec.eval import bench


def test_measures_and_prints_within_80_columns():
    propose = encoder.propose
    speed = bench.measure(96, 64, 4, threads=1)
    assert encoder.propose is propose
    for times, stages in ((speed.encode, bench.ENCODER_STAGES), (speed.decode, bench.DECODER_STAGES)):
        assert sum(times[stage] for stage in stages) == pytest.approx(times["whole"])
        assert all(times[stage] > 0 for stage in stages)
    assert speed.kbps > 0
    assert speed.peak > 50
    assert all(fps > 0 for fps in speed.opponents.values())
    table = bench.format_speeds([speed] * 4, 4, 1)
    assert all(len(line) <= 80 for line in table.splitlines())
    for name in ("96x64", "x264 veryfast", "x265 medium", "search", "parse", "peak memory"):
        assert name in table


def test_too_few_frames():
    with pytest.raises(T4VError):
        bench.run_bench(1)
