"""What the settings say of isolation, on the machine as it is."""

from functools import lru_cache

from gigawatt.engine.local.walls import NO_WALLS, WallRules, parse_shows, probe_walls
from gigawatt.model.gang import Isolation
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.settings import Settings

BUBBLEWRAP = "bwrap"  # on nodes that are not this machine, where each finds its own
FLOORS = {"process": Isolation.PROCESS, "user": Isolation.USER}


@lru_cache(maxsize=4)
def walls_of(settings: Settings) -> WallRules:
    """Raises RefusalError where what is asked for by name is not to be had."""
    if settings.isolation == "none":
        return NO_WALLS
    floor = FLOORS.get(settings.isolation, Isolation.NONE)
    shows = parse_shows(settings.isolation_shows)
    if settings.engine != "local":
        return _far(settings, floor)
    rules = probe_walls(floor, nodes=settings.nodes, shows=shows)
    if floor is not Isolation.NONE and floor not in rules.classes:
        why = rules.lacks or "tenants have Unix users of their own only where gigawatt runs as root"
        raise RefusalError(
            RefusalCode.UNSUPPORTED,
            f"isolation {floor.value} is not to be had on this machine: {why}",
            field="isolation",
            hint="install bubblewrap, or choose isolation auto",
        )
    return rules


def sentence(settings: Settings) -> str:
    """What `gw up` says of it."""
    rules = walls_of(settings)
    if settings.isolation == "none":
        return "none: ranks can read what this user can, and there is one tenant"
    if not rules.classes:
        return f"none ({rules.lacks}): ranks can read what this user can, and there is one tenant"
    named = ", ".join(each.value for each in Isolation if each in rules.classes)
    if rules.floor is Isolation.NONE:
        return f"{named}: for jobs that ask; for more than one tenant, --isolation process"
    return f"{rules.floor.value} for all; {named} where it is asked for"


def _far(settings: Settings, floor: Isolation) -> WallRules:
    """On a cluster: nodes make the walls, and refuse a launch where they cannot."""
    given = frozenset({Isolation.USER}) if settings.slurm_users else frozenset[Isolation]()
    if floor is Isolation.USER and not given:
        raise RefusalError(
            RefusalCode.UNSUPPORTED,
            "isolation user is Slurm's with users of their own, or this machine's with the local engine",
            field="isolation",
            hint="set slurm_users, or choose isolation process",
        )
    walled = floor is Isolation.PROCESS
    return WallRules(
        program=BUBBLEWRAP if walled else "",
        lacks="" if walled or given else "set isolation to process where all nodes have bubblewrap",
        floor=floor,
        given=given,
        shows=parse_shows(settings.isolation_shows),
    )
