"""Property tests: the same examples in every run, and none failed for being slow on a busy machine."""

import signal

from hypothesis import settings

settings.register_profile("gigawatt", deadline=None, derandomize=True)
settings.load_profile("gigawatt")

# A shell ignores interrupts in what it runs in the background, and children inherit that: tests send them.
signal.signal(signal.SIGINT, signal.default_int_handler)
