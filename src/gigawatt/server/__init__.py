"""The composition root: reads settings, builds everything, runs it. `gw up` and `gw down` are here."""

from gigawatt.server.down import down
from gigawatt.server.up import UpOptions, up

__all__ = ["UpOptions", "down", "up"]
