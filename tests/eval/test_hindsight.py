"""The search: it finds what is best, says what it skipped, and goes the same way every time."""

import pytest
from t4vcodec.eval.cache import Cache
from t4vcodec.eval.candidates import NONE, REDUNDANCIES, Candidate, Menu
from t4vcodec.eval.coded_media import CodedMedia
from t4vcodec.eval.estimates import Estimates, Fates
from t4vcodec.eval.frame_scores import FrameScores
from t4vcodec.eval.hindsight import FIRST_SEED, Choice, Hindsight
from t4vcodec.eval.profiles import Effort
from t4vcodec.eval.trials import Trials
from t4vcodec.network.channels import parse_channel
from t4vcodec.network.fec import Protection
from toy_scheme import moving_clip

CLIP = moving_clip(frames=20, fps=10)
TARGET = 12_000
EFFORT = Effort(search_seeds=4, leaders=3, finalists=2, climbs=2)
LISTS = {
    "now": lambda c: c.delay_frames == 0,
    "late": lambda c: c.delay_frames <= 3,
    "x264 late": lambda c: c.delay_frames <= 3 and c.settings.codec == "x264",
}


class Bench:
    def __init__(self, folder, codecs=("x264",), effort=EFFORT):
        cache, scores = Cache(folder), FrameScores()
        media = CodedMedia(CLIP, cache, scores)
        self.estimates = Estimates(CLIP, media, Menu(codecs), cache, scores, TARGET)
        self.trials = Trials(CLIP, media, cache, scores)
        self.search = Hindsight(self.estimates, self.trials, cache, effort)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def found(folder):
    return Bench(folder).search.choose(parse_channel("0.3"), LISTS)


def real_score(bench, candidate, channel, seeds):
    estimate = bench.estimates.of(candidate, Fates(channel, CLIP, seeds))
    chosen = bench.trials.meet(candidate, TARGET, estimate.step if estimate else 250)
    if chosen is None:
        return None
    values = bench.trials.searched(chosen, channel, seeds)
    return sum(values) / len(values)


def test_lists_are_kept_to_and_more_choice_is_no_worse(found):
    assert set(found) == set(LISTS)
    assert found["now"].chosen.candidate.delay_frames == 0
    assert 0 < found["late"].chosen.candidate.delay_frames <= 3
    assert found["late"].ssim_db >= found["now"].ssim_db
    for choice in found.values():
        assert 0 < choice.decoded <= EFFORT.leaders + EFFORT.climbs
        assert choice.estimated > 5 * choice.decoded


def test_what_it_found_stands_up_to_trying_everything(folder, found):
    """On fresh seeds, against Reed-Solomon and streaming over 4 frames at every redundancy."""
    bench, channel, seeds = Bench(folder), parse_channel("0.3"), list(range(24))
    settings = found["late"].chosen.candidate.settings
    mine = real_score(bench, found["late"].chosen.candidate, channel, seeds)
    scores = [
        real_score(bench, Candidate(settings, Protection(kind, redundancy, 4)), channel, seeds)
        for kind in ("rs", "streaming")
        for redundancy in REDUNDANCIES
    ]
    scores = [score for score in scores if score is not None]
    assert mine > max(scores) - 1.5  # of about 20 dB between no loss and a loss of everything
    assert mine > sorted(scores)[len(scores) // 2]


def test_estimates_are_near_what_decoding_gives(folder):
    bench, channel = Bench(folder), parse_channel("0.3")
    seeds = list(range(FIRST_SEED, FIRST_SEED + 4))
    fates = Fates(channel, CLIP, seeds)
    misses = []
    for settings in Menu(["x264"]).settings[::7]:
        for protection in (NONE, Protection("rs", 0.5, 4), Protection("streaming", 1.0, 1)):
            estimate = bench.estimates.of(Candidate(settings, protection), fates)
            real = real_score(bench, Candidate(settings, protection), channel, seeds)
            if estimate is not None and real is not None:
                misses.append(abs(estimate.ssim_db - real))
    assert len(misses) > 8
    assert sum(misses) / len(misses) < 0.8


def test_the_same_from_the_cache_from_scratch_and_after_other_searches(folder, found, tmp_path, monkeypatch):
    channel = parse_channel("0.3")
    other = Bench(tmp_path)
    other.search.choose(parse_channel("0.1"), LISTS)
    assert other.search.choose(channel, LISTS) == found
    assert Bench(folder).search.is_known(channel, LISTS)
    monkeypatch.setattr("t4vcodec.eval.coded_media.encode_source", lambda *_: pytest.fail("encoded again"))
    assert Bench(folder).search.choose(channel, LISTS) == found
    choice = found["late"]
    assert Choice.from_dict(choice.as_dict()) == choice


def test_without_loss_nothing_is_protected(folder):
    bench = Bench(folder)
    found = bench.search.choose(parse_channel("0"), LISTS)
    assert {choice.chosen.candidate.protection for choice in found.values()} == {NONE}
    bound = bench.search.best_lossless(TARGET)
    assert bound.ssim_db >= found["now"].ssim_db - 0.1
    assert bench.search.best_lossless(TARGET // 2).ssim_db < bound.ssim_db
    assert bench.search.best_lossless(10) is None


def test_total_loss_is_no_error(folder):
    assert set(Bench(folder).search.choose(parse_channel("1"), LISTS)) <= set(LISTS)
