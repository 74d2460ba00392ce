"""Transports: what carries frames over a network that loses, delays and limits. One line makes a pair of
endpoints.

==================  ======================================================================================
name                meaning
==================  ======================================================================================
``udp``             packets as they are (`udp`)
``tcp-reno``        TCP: reliable, in order, whatever it takes (`tcp`); ``tcp-cubic`` with Cubic's window
``fec``             Reed-Solomon at a fixed redundancy (`fec_static`)
``fec-adaptive``    Reed-Solomon after the reported loss (`fec_adaptive`)
``nack``            selective retransmission with deadline (`nack`)
``nack-fec``        both of them, as WebRTC does
``hairpin``         parity and retransmissions planned jointly over the rounds left (`hairpin`)
==================  ======================================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from t4vcodec.network.transports.base import (
    Delivered,
    MediaFrame,
    MediaPacket,
    Receiver,
    Sender,
    TransportError,
    Utility,
)
from t4vcodec.network.transports.congestion import DelayController
from t4vcodec.network.transports.fec_adaptive import AdaptiveFecSender
from t4vcodec.network.transports.fec_static import FecReceiver, FecSender
from t4vcodec.network.transports.hairpin import HairpinSender
from t4vcodec.network.transports.nack import NackFecSender, NackReceiver, NackSender
from t4vcodec.network.transports.tcp import TcpSender
from t4vcodec.network.transports.tcp_receiver import TcpReceiver
from t4vcodec.network.transports.udp import REPORT_DELAY, UdpReceiver, UdpSender

__all__ = [
    "NAMES",
    "DelayController",
    "Delivered",
    "MediaFrame",
    "MediaPacket",
    "Receiver",
    "Sender",
    "TransportError",
    "Utility",
    "make_transport",
]

_MAKERS: dict[str, tuple[Callable[..., Sender], Callable[[], Receiver]]] = {
    "udp": (UdpSender, lambda: UdpReceiver(REPORT_DELAY)),
    "tcp-reno": (lambda **settings: TcpSender(window="reno", **settings), TcpReceiver),
    "tcp-cubic": (lambda **settings: TcpSender(window="cubic", **settings), TcpReceiver),
    "fec": (FecSender, lambda: FecReceiver(REPORT_DELAY)),
    "fec-adaptive": (AdaptiveFecSender, lambda: FecReceiver(REPORT_DELAY)),
    "nack": (NackSender, NackReceiver),
    "nack-fec": (NackFecSender, NackReceiver),
    "hairpin": (HairpinSender, lambda: FecReceiver(REPORT_DELAY)),
}

NAMES = tuple(_MAKERS)


def make_transport(name: str, **settings: Any) -> tuple[Sender, Receiver]:
    """A fresh sender and its receiver; settings are the sender's fields (``redundancy=0.5``, ``utility=...``).

    Raises `TransportError` on a name or setting that is not there.
    """
    if name not in _MAKERS:
        raise TransportError(f"unknown transport '{name}': take {', '.join(NAMES)}")
    make_sender, make_receiver = _MAKERS[name]
    try:
        return make_sender(**settings), make_receiver()
    except TypeError as error:
        raise TransportError(f"transport '{name}' has no such setting: {error}") from error
