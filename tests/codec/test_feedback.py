"""Sessions with reports: the encoder predicts from what the receiver really has."""

from fractions import Fraction

import numpy as np
import pytest
from t4vcodec.codec import Decoder, Encoder, Setup
from t4vcodec.codec.encoder import EncoderError
from t4vcodec.codec.reports import Report, ReportError
from t4vcodec.media.frames import Frame

WIDTH, HEIGHT = 96, 80
SETUP = Setup(WIDTH, HEIGHT, Fraction(25))
DELAY = 4  # frames until a report arrives


def moving_frames(count):
    """A textured scene that drifts, with a brighter square that goes the other way."""
    random = np.random.default_rng(5)
    wide = np.kron(random.integers(60, 180, (30, 50)), np.ones((6, 6))).astype(np.uint8)
    chroma = np.full((HEIGHT // 2, WIDTH // 2), 120, np.uint8)
    frames = []
    for n in range(count):
        y = wide[n // 2 : n // 2 + HEIGHT, n : n + WIDTH].copy()
        y[20:40, 60 - n % 40 : 80 - n % 40] = 220
        frames.append(Frame(y, chroma, chroma, n / 25))
    return frames


def run(frames, lost, report_lost=lambda n: False, delay=DELAY):
    """lost(frame, index): whether a packet is lost. Returns encoder, decoder, pictures, their PSNR, qualities."""
    encoder = Encoder(SETUP, quality=24, feedback=True, threads=1)
    decoder = Decoder(SETUP)
    reports, pictures, scores, classes = {}, [], [], []
    for n, frame in enumerate(frames):
        if n - delay in reports and not report_lost(n - delay):
            encoder.report(bytes(reports[n - delay]))
        packets = encoder.push(frame)
        classes.append(encoder.stats.frame_class)
        shown = decoder.push([bytes(p) for p in packets if not lost(n, p.index)])
        pictures += shown + decoder.close(n)
        reports[n] = decoder.report()
        error = np.mean((pictures[-1].y.astype(float) - frame.y) ** 2)
        scores.append(10 * np.log10(255**2 / max(error, 1e-9)))
    assert len(pictures) == len(frames)
    return encoder, decoder, pictures, np.array(scores), classes


def test_without_loss_the_encoder_knows_the_receivers_state_exactly():
    encoder, decoder, pictures, _, classes = run(moving_frames(14), lambda n, i: False)
    assert encoder._view.known == 9
    assert encoder._view.estimate == decoder.state
    assert np.array_equal(encoder.reconstruction.y.numpy().astype(np.uint8)[:HEIGHT, :WIDTH], pictures[-1].y)
    assert classes == [0] + [2] * 13  # no refresh is needed


def test_after_losses_the_encoder_holds_the_damaged_state_bit_for_bit():
    random = np.random.default_rng(1)
    fates = random.random((40, 64)) < 0.3
    encoder, decoder, _, _, _ = run(moving_frames(26), lambda n, i: n < 20 and fates[n, i])
    assert encoder._view.known == 21
    assert encoder._view.estimate == decoder.state
    assert np.array_equal(encoder.reconstruction.y.numpy(), decoder.state.last.y.numpy())


def test_a_burst_of_three_whole_frames_is_mended_by_the_frame_after_its_report():
    """Within half a dB of a receiver that lost nothing, at the same quality, without a key frame."""
    frames = moving_frames(24)
    _, _, _, clean, _ = run(frames, lambda n, i: False)
    _, _, _, hurt, classes = run(frames, lambda n, i: 8 <= n <= 10)
    assert hurt[10] < clean[10] - 1  # the burst did hurt
    assert abs(hurt[15:] - clean[15:]).max() < 0.5
    assert 0 not in classes[1:]


def test_lost_reports_do_no_harm_while_one_gets_through():
    frames = moving_frames(26)

    def lost(n, i):
        return n in (6, 7) or (n < 16 and (n + i) % 5 == 0)

    encoder, decoder, _, _, _ = run(frames, lost, report_lost=lambda n: n % 6 != 5)
    assert encoder._view.known == 17
    assert encoder._view.estimate == decoder.state


def test_without_any_report_long_term_frames_are_sent():
    _, _, _, _, classes = run(
        moving_frames(40), lambda n, i: n % 3 == 0 and i == 0, report_lost=lambda n: True
    )
    assert classes[0] == 0
    assert [n for n, c in enumerate(classes) if c == 1] == [16, 32]


def test_doubled_late_foreign_and_lying_reports_change_nothing_for_good():
    frames = moving_frames(16)
    encoder = Encoder(SETUP, quality=24, feedback=True, threads=1)
    decoder = Decoder(SETUP)
    old = None
    for n, frame in enumerate(frames):
        decoder.push([bytes(p) for p in encoder.push(frame)])
        report = decoder.report()
        old = old or report
        encoder.report(report)
        encoder.report(report)
        encoder.report(old)
        encoder.report(Report((n + 300) & 0xFFFF, 1, ((True,),), SETUP.salt))  # of a frame never sent
        with pytest.raises(ReportError):
            encoder.report(b"no report at all")
    assert encoder._view.estimate == decoder.state
    assert encoder._view.known == 15


def test_a_receiver_in_another_state_gets_a_key_frame():
    frames = moving_frames(60)
    encoder = Encoder(SETUP, quality=24, feedback=True, threads=1)
    decoder = Decoder(SETUP)
    classes = []
    for n, frame in enumerate(frames):
        if n == 30:
            decoder = Decoder(SETUP)  # killed and started again: it has seen nothing
        packets = encoder.push(frame)
        classes.append(encoder.stats.frame_class)
        decoder.push([bytes(p) for p in packets])
        decoder.close(n)
        if decoder.report() is not None:
            encoder.report(decoder.report())
    assert classes[31] == 0
    assert 0 not in classes[32:40]


def test_reports_to_a_one_way_encoder_are_refused():
    with pytest.raises(EncoderError, match="feedback=True"):
        Encoder(SETUP, quality=24).report(b"")


def test_the_loss_rate_is_learned_from_reports():
    encoder, _, _, _, _ = run(moving_frames(40), lambda n, i: (3 * n + i) % 10 == 0 and n > 0)
    assert 0.05 < encoder._view.loss < 0.2
