"""Real-time media over UDP: packets (`rtp`), the receiver's buffer (`jitter_buffer`), sockets and addresses
(`udp`), a bad network for trying out (`relay`). Knows nothing of a codec; only `udp` and `relay` touch
sockets and clocks.
"""
