"""For all tests: no deadlines. The first call of a kernel compiles it, and a machine may be busy."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
