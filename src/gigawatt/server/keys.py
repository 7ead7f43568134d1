"""The keys of the instance itself: the administrator's and the gateway's, in files that only their owner can read."""

from pathlib import Path

from gigawatt.build.secrets import SecretFiles
from gigawatt.clock import now_ms
from gigawatt.control.leader import Leader
from gigawatt.model.command import CreateKey
from gigawatt.model.gang import GangKind
from gigawatt.model.launch import AttemptKey, Launch
from gigawatt.model.tenant import DEFAULT_TENANT, Role
from gigawatt.server.instance import token
from gigawatt.service.doors import Doors
from gigawatt.service.secrets import given
from gigawatt.service.tokens import Claims, Owner, RankTokens, kept_key

AUTHORITY = "GIGAWATT_CA"
RANK_TOKEN_MS = 7 * 24 * 3600 * 1000  # at most; it is worth nothing once its attempt has ended


async def ensure_keys(leader: Leader, data: Path) -> None:
    """Make the instance's own keys known. A token file that was replaced counts from the next start on."""
    for name, role, path in (
        ("admin", Role.OPERATOR, data / "token"),
        ("gateway", Role.GATEWAY, data / "gateway" / "token"),
    ):
        owner = Owner(tenant=DEFAULT_TENANT, project="", name=name, role=role, created_by="gw up")
        key = kept_key(token(path), owner, now_ms=now_ms())
        if key.id not in leader.state.world.keys:
            await leader.submit(CreateKey(key=key), receipt=None)


def rank_secrets(
    tokens: RankTokens, doors: Doors, secrets: SecretFiles, authority: str, launch: Launch
) -> tuple[tuple[str, str], ...]:
    """What a launch's ranks are given in files: their token, secrets of their project, what they believe the API by, and
    a workspace's desk how it knows us. Blocks. Raises RefusalError.
    """
    asked = given(secrets, launch.uses, f"{launch.tenant}/{launch.project}")
    found = (("GIGAWATT_TOKEN", rank_token(tokens, launch)), *asked.items())
    if authority:
        found = (*found, (AUTHORITY, authority))
    if launch.kind is not GangKind.WORKSPACE:
        return found
    key = AttemptKey(gang=launch.gang, attempt=launch.attempt)
    return (*found, ("GIGAWATT_DESK", doors.desk_token(key)))


def rank_token(tokens: RankTokens, launch: Launch) -> str:
    """What a launch's ranks show to the API."""
    claims = Claims(
        gang=launch.gang,
        attempt=launch.attempt,
        tenant=launch.tenant,
        project=launch.project,
        expires_ms=now_ms() + RANK_TOKEN_MS,
    )
    return tokens.issue(claims)
