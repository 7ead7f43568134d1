"""Deadlines in the line: who of a project's equals takes which of their places.

The gangs of one project that are alike to the line (of one priority, and of one class of it) have as many places in it as
there are of them, each by a wait. These places stay what they are, and are taken by who must start soonest to be done by
the deadline; those without one come last, by their own waits. So no deadline moves a gang past one of another project.
"""

import numpy as np

from gigawatt.scheduler.snapshot import NEVER_MS, GangColumns, Rows


def places(gangs: GangColumns, *classes: Rows) -> Rows:
    """Over G: whose place each gang takes, its own where there is no deadline. `classes` are, beside priorities, what makes
    equals.
    """
    place_G = np.arange(len(gangs.ids))
    if not gangs.latest_ms_G.any():
        return place_G
    group = (*classes, gangs.priority_G, gangs.project_G, gangs.tenant_G)
    latest_ms_G = np.where(gangs.latest_ms_G, gangs.latest_ms_G, NEVER_MS)
    by_wait = np.lexsort((gangs.queued_ms_G, *group))
    place_G[np.lexsort((gangs.queued_ms_G, latest_ms_G, *group))] = by_wait
    return place_G
