"""t4vcodec: video that survives packet loss."""

__version__ = "0.1.0"
