"""Live sessions: `sender` and `receiver` are protocol objects without clocks and sockets; `sending` and
`receiving` run them over UDP in real time; `rehearsal` measures both through a bad network. `docs/live.md`
holds the wire format.
"""
