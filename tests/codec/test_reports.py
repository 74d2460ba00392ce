"""Reports on the wire: what was written is read again, and nothing else is."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from t4vcodec.codec import Setup
from t4vcodec.codec.reports import MAX_REPORT, MOST_TOLD, Report, ReportError

SETUP = Setup(64, 48, Fraction(25))
masks = st.lists(st.booleans(), max_size=128).map(tuple)
reports = st.builds(
    Report,
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.lists(masks, min_size=1, max_size=MOST_TOLD).map(tuple),
    st.just(SETUP.salt),
)


@given(reports)
def test_a_report_is_read_as_it_was_written(report):
    data = bytes(report)
    assert len(data) <= MAX_REPORT
    assert Report.parse(data, SETUP) == report


@given(reports, st.data())
def test_a_damaged_report_is_refused(report, data):
    whole = bytearray(bytes(report))
    bit = data.draw(st.integers(0, 8 * len(whole) - 1))
    whole[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ReportError):
        Report.parse(bytes(whole), SETUP)


@given(st.binary(max_size=MAX_REPORT + 4))
def test_any_bytes_are_a_report_or_an_error(data):
    try:
        Report.parse(data, SETUP)
    except ReportError:
        return


def test_a_report_of_another_session_is_refused():
    report = Report(3, 7, ((True, False),), SETUP.salt)
    with pytest.raises(ReportError, match="another session"):
        Report.parse(bytes(report), replace(SETUP, width=80))


def test_a_whole_second_at_three_packets_a_frame_takes_few_bytes():
    assert len(bytes(Report(5, 1, ((True,) * 3,) * 16, SETUP.salt))) == 41
