"""The protocol's opponents on one clip at one rate, all at the bytes that ours sent.

====================  ==========================================================================================
``fec-sound-0``       codec, settings and protection that did best in hindsight on other seeds of the channel,
                      without added delay
``fec-sound-3``       the same with up to 3 frames of delay
``fec-sound-x264-0``  the first two with only x264 to choose from (where there are others)
``fec-sound-x264-3``
``fec-fixed-30``      what ``fec-sound-3`` chose at 30 % of independent losses, on every channel
``fec-fixed-10``      the same of 10 %
``capacity``          a bound: the best standard codec without loss at bytes x (1 - loss), as an ideal code of
                      unbounded delay would leave it; the code's share is counted as protection
``x264 medium rs:0.5:4``  and the like: single configurations
====================  ==========================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from typing import Any

from t4vcodec.eval.cache import Cache, content_key, version_of
from t4vcodec.eval.candidates import Candidate, Menu, protection
from t4vcodec.eval.clips import Clip
from t4vcodec.eval.coded_media import CodedMedia, baseline_version
from t4vcodec.eval.errors import EvalError
from t4vcodec.eval.estimates import Estimates
from t4vcodec.eval.frame_scores import FrameScores
from t4vcodec.eval.hindsight import Allowed, Choice, Hindsight
from t4vcodec.eval.profiles import Opposition
from t4vcodec.eval.protocol import Delivery, Run
from t4vcodec.eval.records import Quality, Record, record_from_json
from t4vcodec.eval.run_record import Bytes, Play, Target, Watched, make_record, vmaf_key
from t4vcodec.eval.scheme import measure_version
from t4vcodec.eval.task_scores import Onlookers, Pictures, all_of
from t4vcodec.eval.trials import Chosen, Trials
from t4vcodec.media.frames import Frame
from t4vcodec.network.channels import Channel, parse_channel

Done = Callable[[str, bool, float], None]
"""Progress: text, whether anything was computed, share of the work."""
Look = Callable[[int, Frame], None]

LONGEST_DELAY = 3
"""Frames that the second row of opponents may wait."""
FIXED = {"fec-fixed-30": "0.3", "fec-fixed-10": "0.1"}
"""Channels that the fixed configurations are made for."""
SINGLE_BLOCK = 4
SEARCH_WORK, PLAY_WORK = 10.0, 1.0
"""How long a search over one channel and a play of all opponents take, about, in plays of ours."""

_CONCEALMENT = {
    "x264": "libavcodec's, within and between frames",
    "x265": "last picture repeated, decoding goes on",
    "av1": "last picture repeated until a key frame",
    "vp9": "last picture repeated until a key frame; decoding goes on where error resilient",
}


def scheme_names(opposition: Opposition) -> list[str]:
    """All opponents, in order."""
    names = [_row_name(codec, delay) for codec in opposition.choices for delay in (0, LONGEST_DELAY)]
    return [*names, *FIXED, "capacity", *single_candidates(opposition)]


def _row_name(codec: str | None, delay: int) -> str:
    return f"fec-sound-{delay}" if codec is None else f"fec-sound-{codec}-{delay}"


def single_candidates(opposition: Opposition) -> dict[str, Candidate]:
    """Each baseline at its usual settings, under Reed-Solomon over 4 frames at several redundancies; by scheme."""
    menu = Menu(opposition.baselines)
    found = {}
    for codec in opposition.baselines:
        settings = menu.plain(codec)
        for redundancy in opposition.redundancies:
            code = protection(("rs", SINGLE_BLOCK, 1.0), redundancy)
            found[f"{codec} {settings.preset} {code.name}"] = Candidate(settings, code)
    return found


def searched_channels(channels: Sequence[Channel]) -> list[Channel]:
    """The channels that searches are made for: all, and those of the fixed configurations."""
    names = {channel.name for channel in channels}
    return [*channels, *(parse_channel(name) for name in FIXED.values() if name not in names)]


def work(channels: Sequence[Channel], plays: int) -> float:
    """Work of one clip at one rate, in plays of ours."""
    return SEARCH_WORK * len(searched_channels(channels)) + PLAY_WORK * plays


class Opponents:
    """All opponents of one clip at one rate. Raises `EvalError` on a clip shorter than a second."""

    def __init__(
        self,
        clip: Clip,
        opposition: Opposition,
        target: Target,
        total_bytes: int,
        cache: Cache,
        reference: Callable[[int], Quality | None],
        onlookers: Onlookers | None = None,
    ) -> None:
        self._onlookers = onlookers or Onlookers()
        check_length(clip.name, len(clip.frames), float(clip.fps))
        self._clip, self._opposition, self._target = clip, opposition, target
        self._where = f"{clip.name} {target.kbps:.0f} kbit/s"
        self._bytes, self._cache, self._reference = total_bytes, cache, reference
        scores = FrameScores()
        menu = Menu(opposition.baselines)
        media = CodedMedia(clip, cache, scores)
        self._trials = Trials(clip, media, cache, scores)
        estimates = Estimates(clip, media, menu, cache, scores, total_bytes)
        self._hindsight = Hindsight(estimates, self._trials, cache, opposition.effort)
        self._singles = single_candidates(opposition)
        self._choices: dict[str, dict[str, Choice]] = {}
        self._fine: dict[tuple[Candidate, int], Chosen | None] = {}

    def records(self, plays: Sequence[Play], done: Done) -> list[Record]:
        """Of every opponent and play; those whose bytes no quality gives are absent."""
        for channel in searched_channels(list(dict.fromkeys(play.channel for play in plays))):
            computed = channel.name not in self._choices and not self._is_known(channel)
            self._choose(channel)
            done(f"{self._where}, search at {channel.name}", computed, SEARCH_WORK)
        found = []
        for play in plays:
            computed = False
            for scheme in scheme_names(self._opposition):
                record, fresh = self._record(scheme, play)
                computed |= fresh
                if record is not None:
                    found.append(record)
            done(f"{self._where}, opponents at {play.channel.name}", computed, PLAY_WORK)
        return found

    def look(self, scheme: str, play: Play, look: Look) -> Run | None:
        """Plays an opponent again, for its pictures; None where it has no record."""
        chosen, _ = self._chosen(scheme, play.channel)
        if chosen is None:
            return None
        return self._run(scheme, chosen, play, look)

    def describe(self, scheme: str, channel: Channel) -> str:
        """Codec and protection of an opponent in a few words."""
        chosen, _ = self._chosen(scheme, channel)
        return "" if chosen is None else chosen.candidate.name

    @cached_property
    def _lists(self) -> dict[str, Allowed]:
        """Rows of the table: what each may choose."""

        def row(delay: int, codec: str | None) -> Allowed:
            return lambda c: c.delay_frames <= delay and codec in (None, c.settings.codec)

        return {
            _row_name(codec, delay): row(delay, codec)
            for codec in self._opposition.choices
            for delay in (0, LONGEST_DELAY)
        }

    def _is_known(self, channel: Channel) -> bool:
        return self._hindsight.is_known(channel, self._lists)

    def _choose(self, channel: Channel) -> dict[str, Choice]:
        if channel.name not in self._choices:
            self._choices[channel.name] = self._hindsight.choose(channel, self._lists)
        return self._choices[channel.name]

    def _chosen(self, scheme: str, channel: Channel) -> tuple[Chosen | None, dict[str, Any]]:
        """What a scheme sends over a channel, and what its records say of the choice."""
        if scheme in self._singles:
            candidate = self._singles[scheme]
            return self._at_bytes(
                candidate, self._bytes, self._trials.media.last_step(candidate.settings) // 2
            ), {}
        if scheme == "capacity":
            kept = round(self._bytes * (1 - channel.mean_loss))
            choice = self._hindsight.best_lossless(kept) if kept > 0 else None
            return (None if choice is None else choice.chosen), _search_facts(choice)
        made_for = FIXED.get(scheme)
        row = f"fec-sound-{LONGEST_DELAY}" if made_for else scheme
        choice = self._choose(parse_channel(made_for) if made_for else channel).get(row)
        if choice is None:
            return None, {}
        facts = _search_facts(choice) | ({"made_for": made_for} if made_for else {})
        return self._at_bytes(choice.chosen.candidate, self._bytes, choice.chosen.step), facts

    def _at_bytes(self, candidate: Candidate, target: int, guess: int) -> Chosen | None:
        """On the finest grid of qualities."""
        place = candidate, target
        if place not in self._fine:
            self._fine[place] = self._trials.meet(candidate, target, guess)
        return self._fine[place]

    def _record(self, scheme: str, play: Play) -> tuple[Record | None, bool]:
        """A record, and whether it was computed. Equal choices of several schemes are played once."""
        chosen, facts = self._chosen(scheme, play.channel)
        if chosen is None:
            return None, False
        key = self._key(chosen, play, scheme == "capacity")
        known = self._cache.get(key)
        fresh = known is None or self._onlookers.wants(key, scheme, play.seed)
        if fresh:
            seen = self._onlookers.pictures(scheme, play.seed)
            known = asdict(self._measure(scheme, chosen, play, seen))
            self._cache.put(key, known)
            self._onlookers.keep(key, seen)
        record = record_from_json(known, "cache")
        record = replace(record, scheme=scheme, config={**record.config, **facts})
        return self._onlookers.told(record, key), fresh

    def _key(self, chosen: Chosen, play: Play, ideal: bool) -> str:
        return content_key(
            clip=self._clip.sha256,
            name=self._clip.name,
            chosen=chosen.candidate.as_dict(),
            step=chosen.step,
            channel=play.channel.identity,
            loss=play.channel.name,
            seed=play.seed,
            target=vars(self._target),
            ideal=self._bytes if ideal else None,
            measure=measure_version(),
            records=version_of(
                "eval/opponents.py", "eval/records.py", "eval/run_record.py", "eval/trials.py"
            ),
            version=baseline_version(),
            vmaf=vmaf_key(play),
        )

    def _run(self, scheme: str, chosen: Chosen, play: Play, look: Look | None) -> Run:
        if scheme != "capacity":
            return self._trials.played(chosen, play.channel, play.seed, look)
        run = self._trials.lossless(chosen, look)
        return replace(run, delivery=self._ideal(run.delivery, play))

    def _ideal(self, delivery: Delivery, play: Play) -> Delivery:
        """What an ideal code would send: so many packets more, spread evenly, over the same fates."""
        frames = len(delivery.sent)
        packets = round(sum(delivery.sent) / (1 - play.channel.mean_loss))
        session = play.channel.session(self._clip.name, play.seed)
        sent, lost = [0] * frames, [0] * frames
        for packet in range(packets):
            frame = packet * frames // packets
            sent[frame] += 1
            lost[frame] += session.lost(float(frame / self._clip.fps))
        return Delivery(delivery.payloads, delivery.waits, sent, lost)

    def _measure(self, scheme: str, chosen: Chosen, play: Play, seen: Pictures | None) -> Record:
        pictures = Watched(play)
        run = self._run(scheme, chosen, play, all_of(pictures, seen))
        sent = self._trials.sent(chosen)
        counted = Bytes(sent.bytes_media, sent.bytes_protection, sent.bytes_headers, sent.encode_seconds)
        settings, code = chosen.candidate.settings, chosen.candidate.protection
        kind = code.kind, code.redundancy, code.block
        loss = play.channel.mean_loss
        if scheme == "capacity" and loss:
            headers = sent.bytes_headers // sent.packets * run.packets_sent
            # The bytes were met within 2 %; the miss stays where it is.
            extra = max(0, round(sent.total_bytes / (1 - loss)) - sent.bytes_media - headers)
            counted = replace(counted, protection=extra, headers=headers)
            kind = "ideal", round(loss / (1 - loss), 4), len(self._clip.frames)
        return make_record(
            self._clip,
            self._target,
            play,
            counted,
            run,
            who={"scheme": scheme, "codec": settings.codec, "preset": settings.preset},
            config=_config(chosen, self._trials.media),
            reference=self._reference(counted.total),
            vmaf=pictures.vmaf(self._clip),
            with_frames=play.seed == 0,
            protection=kind,
        )


def check_length(name: str, frames: int, fps: float) -> None:
    """Raises `EvalError` where a clip cannot hold the shortest group of pictures of the opponents."""
    needed = max(2, round(fps))
    if frames < needed:
        raise EvalError(
            f"{name}: {frames} frames are fewer than a group of pictures of a second ({needed} frames): give longer"
            " clips or more --frames, or leave the standard codecs out (--baselines none)"
        )


def _config(chosen: Chosen, media: CodedMedia) -> dict[str, Any]:
    settings = chosen.candidate.settings
    return {
        "quality": media.quality(settings, chosen.step),
        "tune": settings.tune,
        "scale": str(settings.scale),
        "gop": settings.gop,
        "slices": settings.slices,
        "share": settings.share,
        "key_factor": chosen.candidate.protection.key_factor,
        "delay_frames": chosen.candidate.delay_frames,
        "concealment": _CONCEALMENT[settings.codec],
    }


def _search_facts(choice: Choice | None) -> dict[str, Any]:
    if choice is None:
        return {}
    return {
        "candidates_estimated": choice.estimated,
        "candidates_decoded": choice.decoded,
        "search_ssim_db": choice.ssim_db,
    }
