"""A hostile job: programs that try what a tenant must not be able to do, run as gangs of each class of isolation.

Each says whether it was held, and is bounded in size and time, so that it does no harm where it is not.
"""

from gigawatt.server.hostile.attacks import ATTACKS, CLASSES, Attack
from gigawatt.server.hostile.report import Outcome, Report
from gigawatt.server.hostile.run import run

__all__ = ["ATTACKS", "CLASSES", "Attack", "Outcome", "Report", "run"]
