"""Property tests: the same examples in every run, and none failed for being slow on a busy machine."""

from hypothesis import settings

settings.register_profile("gigawatt", deadline=None, derandomize=True)
settings.load_profile("gigawatt")
