"""Which pictures of a source are sent, and when."""

import pytest
from t4vcodec.live.pacing import Pacer


def sent(pacer, times, busy=0.0, reading=0.001):
    """(source time, due, when it was taken up) of what is sent by somebody who needs `busy` seconds a picture."""
    now, out = 100.0, []
    for time in times:
        asked = now
        now += reading(time) if callable(reading) else reading
        due = pacer.place(time, asked, now)
        if due is not None:
            now = max(now, due)
            out.append((time, due, now))
            now += busy
    return out


SECOND = [i / 25 for i in range(25)]


def test_a_file_is_sent_in_its_own_time():
    taken = sent(Pacer(1 / 25), SECOND, busy=0.03)
    assert [time for time, _, _ in taken] == SECOND
    assert [due - 100 for _, due, _ in taken] == pytest.approx(SECOND, abs=0.002)


@pytest.mark.parametrize("busy", [0.09, 0.13, 0.5])
def test_who_is_too_slow_leaves_pictures_out_and_stays_in_time(busy):
    pacer = Pacer(1 / 25)
    taken = sent(pacer, [i / 25 for i in range(250)], busy=busy)
    assert len(taken) == pytest.approx(10 / busy, rel=0.25)
    assert pacer.skipped == 250 - len(taken)
    assert all(now - due <= 0.05 for _, due, now in taken)
    assert taken[-1][1] - 100 == pytest.approx(taken[-1][0], abs=0.15)


@pytest.mark.parametrize(("fps", "wanted"), [(30, 10), (25, 10), (30, 8), (24, 24), (10, 25)])
def test_keeps_to_a_rate_on_average(fps, wanted):
    times = [i / fps for i in range(10 * fps)]
    pacer = Pacer(1 / fps, 1 / wanted)
    taken = sent(pacer, times)
    assert len(taken) == pytest.approx(10 * min(wanted, fps), abs=1)
    assert pacer.skipped == 0


def test_a_camera_sets_the_pace():
    """Pictures come every 0.1 s although their times say 0.04 s: each is sent as it comes."""
    taken = sent(Pacer(1 / 25), SECOND, reading=0.1)
    assert len(taken) == 25
    assert all(now - due < 0.05 for _, due, now in taken)


def test_a_source_that_stands_still_goes_on_where_it_was():
    taken = sent(Pacer(1 / 25), SECOND, reading=lambda time: 5.0 if time == SECOND[10] else 0.001)
    assert [time for time, _, _ in taken] == SECOND
    assert taken[-1][2] - 100 == pytest.approx(SECOND[-1] + 5, abs=0.1)
