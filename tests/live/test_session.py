"""The messages of a session: what is written is read again, and nothing else is."""

from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from t4vcodec.codec import Setup
from t4vcodec.live.session import BYE, DESCRIPTION, HELLO, REPORT, Bye, Description, Hello, ReportMessage
from t4vcodec.media import Colour
from t4vcodec.network.live.rtp import ControlPacket, RtpError

WORD = st.integers(0, 2**32 - 1)
TOKEN = st.integers(0, 2**64 - 1)
SETUPS = st.builds(
    Setup,
    st.integers(1, 4096),
    st.integers(1, 4096),
    st.fractions(Fraction(1, 10), 1000, max_denominator=1001),
    st.sampled_from(["t4v-classic", "mine"]),
)
COLOURS = st.builds(Colour, st.sampled_from(["bt601", "bt709", "bt2020"]), st.booleans())
DESCRIPTIONS = st.builds(
    Description,
    WORD,
    TOKEN,
    WORD,
    WORD,
    WORD,
    st.none() | st.integers(0, 65534),
    SETUPS,
    st.integers(0, 10**6),
    COLOURS,
)
REPORTS = st.builds(
    ReportMessage, WORD, WORD, WORD, WORD, st.integers(0, 65535), st.binary(min_size=1, max_size=300)
)


@given(DESCRIPTIONS | st.builds(Hello, WORD, TOKEN, WORD) | REPORTS | st.builds(Bye, WORD, TOKEN))
def test_messages_are_read_as_they_were_written(message):
    assert type(message).parse(ControlPacket.parse(bytes(message.packet()))) == message


@given(st.sampled_from([Description, Hello, ReportMessage, Bye]), st.binary(max_size=400))
def test_any_other_body_is_refused(kind, body):
    with suppress(RtpError):
        kind.parse(ControlPacket(1, 5, body))


@given(DESCRIPTIONS, st.data())
def test_a_description_that_was_changed_is_refused_or_another(description, data):
    body = bytearray(description.packet().body)
    body[data.draw(st.integers(0, len(body) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        other = Description.parse(ControlPacket(DESCRIPTION, description.ssrc, bytes(body)))
    except RtpError:
        return
    assert other != description


def test_no_path_travels():
    setup = Setup(16, 16, Fraction(25), "/secret/folder/mine.safetensors")
    packet = Description(1, 2, 3, 4, 5, None, setup, 100, Colour()).packet()
    assert b"secret" not in packet.body
    assert Description.parse(packet).setup.model == "mine"


def test_a_description_that_names_a_path_is_refused():
    packet = Description(1, 2, 3, 4, 5, None, Setup(16, 16, Fraction(25), "abcdef"), 100, Colour()).packet()
    with pytest.raises(RtpError, match="no plain name"):
        Description.parse(ControlPacket(DESCRIPTION, 1, packet.body.replace(b"abcdef", b"../def")))


def test_kinds_differ():
    assert len({DESCRIPTION, HELLO, REPORT, BYE}) == 4
