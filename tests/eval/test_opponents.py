"""The protocol's opponents: our bytes, our fates, all of them."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from t4vcodec.eval import opponents
from t4vcodec.eval.cache import Cache
from t4vcodec.eval.errors import EvalError
from t4vcodec.eval.opponents import Opponents, scheme_names
from t4vcodec.eval.profiles import Effort, Opposition, profile_of
from t4vcodec.eval.run_record import Play, Target
from t4vcodec.eval.unit import plays_of
from t4vcodec.network.channels import parse_channels
from toy_scheme import moving_clip

CLIP = moving_clip(frames=12, fps=5)
BYTES = 9_000
OPPOSITION = Opposition(("x264", "x265"), Effort(3, 2, 1, 1), (0.5, 2.0))
CHANNELS = parse_channels("0,0.1,0.4,1")
PLAYS = plays_of(CHANNELS, 2)


def make(folder, opposition=OPPOSITION, clip=CLIP):
    return Opponents(clip, opposition, Target(50.0, None), BYTES, Cache(folder), lambda total: None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def steps():
    return []


@pytest.fixture(scope="module")
def records(folder, steps):
    return make(folder).records(PLAYS, lambda *step: steps.append(step))


def of(records, scheme, channel=None):
    return [r for r in records if r.scheme == scheme and channel in (None, r.channel)]


def test_every_scheme_met_the_same_fates(records):
    for play in PLAYS:
        fates = list(itertools.islice(play.channel.fates(CLIP.name, play.seed), 5000))
        mine = [r for r in records if (r.channel, r.seed) == (play.channel.name, play.seed)]
        expected = set(scheme_names(OPPOSITION)) - ({"capacity"} if play.channel.mean_loss == 1 else set())
        assert {r.scheme for r in mine} == expected
        for record in mine:
            assert record.packets_lost == sum(fates[: record.packets_sent])


def test_everybody_sent_our_bytes(records):
    for record in records:
        assert record.total_bytes == pytest.approx(BYTES, rel=0.021), record.scheme
        assert record.bytes_headers == 40 * record.packets_sent


def test_rows_keep_to_their_delay_and_codec(records):
    for record in records:
        late = record.delay_ms.p95 * 5 / 1000
        if record.scheme.endswith("-0") and record.scheme.startswith("fec-sound"):
            assert late == 0
        assert late <= 3
        assert late <= record.config["delay_frames"]
        if "x264" in record.scheme:
            assert record.codec == "x264"
    assert of(records, "fec-sound-3", "0.4")[0].config["candidates_decoded"] >= 1
    assert {(r.redundancy, r.block) for r in of(records, "x265 medium rs:2:4")} == {(2.0, 4)}


def test_what_is_fixed_is_the_same_on_every_channel(records):
    for scheme, channel in (("fec-fixed-10", "0.1"), ("fec-fixed-30", "0.3")):
        mine = of(records, scheme)
        assert len({(r.codec, r.protection, r.redundancy, r.block, r.config["quality"]) for r in mine}) == 1
        assert mine[0].config["made_for"] == channel
    made_for_10, sound = of(records, "fec-fixed-10", "0.1"), of(records, "fec-sound-3", "0.1")
    assert [r.ssim_db for r in made_for_10] == [r.ssim_db for r in sound]


def test_capacity_is_a_bound_for_what_was_sent(records):
    bound = of(records, "capacity", "0.4")[0].ssim_db
    for row in ("fec-sound-0", "fec-sound-3"):
        assert np.mean([r.ssim_db for r in of(records, row, "0.4")]) < bound
    for channel in ("0.1", "0.4"):
        record = of(records, "capacity", channel)[0]
        assert record.protection == "ideal"
        assert record.ssim_db <= of(records, "capacity", "0")[0].ssim_db
        media = record.bytes_media + 40 * round(record.packets_sent * (1 - record.loss))
        assert media == pytest.approx(BYTES * (1 - record.loss), rel=0.03)


def test_figures_of_frames_are_kept_for_the_first_seed(records):
    assert {r.seed for r in records if r.ssim_frames is not None} == {0}


def test_a_second_time_nothing_is_computed(folder, records, monkeypatch):
    monkeypatch.setattr("t4vcodec.eval.coded_media.encode_source", lambda *_: pytest.fail("encoded again"))
    steps = []
    assert make(folder).records(PLAYS, lambda *step: steps.append(step)) == records
    assert not any(computed for _, computed, _ in steps)


def test_steps_add_up(steps, records):
    assert sum(share for *_, share in steps) == opponents.work(CHANNELS, len(PLAYS))


def test_pictures_can_be_had_again(folder, records):
    seen = []
    play = Play(CHANNELS[2], 1)
    run = make(folder).look("fec-sound-3", play, lambda number, frame: seen.append(number))
    assert seen == list(range(12))
    record = next(r for r in of(records, "fec-sound-3", "0.4") if r.seed == 1)
    assert round(run.score.ssim_db, 5) == record.ssim_db
    assert record.codec in make(folder).describe("fec-sound-3", play.channel)


def test_schemes_without_other_codecs_and_unreachable_bytes(tmp_path):
    only = Opposition(("x264",), Effort(2, 1, 1, 0), (1.0,))
    assert scheme_names(only) == [
        *("fec-sound-0", "fec-sound-3", "fec-fixed-30", "fec-fixed-10", "capacity", "x264 medium rs:1:4")
    ]
    tiny = Opponents(CLIP, only, Target(1.0, None), 30, Cache(tmp_path), lambda total: None)
    assert tiny.records([Play(CHANNELS[1], 0)], lambda *_: None) == []


def test_clips_shorter_than_a_second_are_refused(tmp_path):
    with pytest.raises(EvalError, match="fewer than a group of pictures"):
        make(tmp_path, clip=moving_clip(frames=8))


def test_profiles():
    full = profile_of("full")
    assert full.points == (300, 600, 1200)
    assert full.losses == "0,0.1,0.3,0.6,ge:0.3:5"
    assert full.seeds >= 8
    assert all(profile_of(name).effort.search_seeds >= 6 for name in ("quick", "full"))
    with pytest.raises(EvalError, match="take quick or full"):
        profile_of("half")


def test_rows_of_x264_alone_are_a_matter_of_the_profile():
    assert "fec-sound-x264-3" in scheme_names(OPPOSITION)
    fewer = scheme_names(replace(OPPOSITION, x264_apart=False))
    assert set(scheme_names(OPPOSITION)) - set(fewer) == {"fec-sound-x264-0", "fec-sound-x264-3"}
    assert profile_of("full").x264_apart
