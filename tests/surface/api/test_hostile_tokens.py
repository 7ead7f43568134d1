"""What a hostile rank tries at the API with a token: the part of the attacks that takes no machine."""

import pytest

from gigawatt.server.hostile import ATTACKS
from gigawatt.server.hostile.attacks import By
from gigawatt.service.tokens import Claims, RankTokens
from tests.surface.api.conftest import Play
from tests.surface.api.site import SECRET, Site

pytestmark = pytest.mark.slow

OF_OTHERS = ("jobs", "endpoints", "workspaces", "artifacts", "models", "volumes", "keys", "secrets")


def token(gang: str, secret: bytes = SECRET, *, tenant: str = "default") -> str:
    claims = Claims(gang=gang, attempt=1, tenant=tenant, project="default", expires_ms=1 << 60)
    return RankTokens(secret).issue(claims)


def test_these_are_the_attacks_with_a_token() -> None:
    tried = {each.name for each in ATTACKS if each.by is By.TOKEN}
    assert tried == {"others-by-api", "forged-token"}


def test_others_by_api(play: Play) -> None:
    async def scenario(site: Site) -> None:
        own, other = await site.submit(), await site.submit()
        await site.phase(own, "running")
        await site.phase(other, "running")
        key = token(own["id"])
        assert (await site.call("GET", f"/v1/jobs/{own['id']}", key=key)).status_code == 200
        theirs = f"/v1/jobs/{other['id']}"
        paths = [theirs, f"{theirs}/logs", f"{theirs}/stack", f"{theirs}/events"]
        paths += [*(f"/v1/{name}" for name in OF_OTHERS), "/v1/nodes", "/v1/tenants"]
        for path in paths:
            response = await site.call("GET", path, key=key)
            listed = response.json().get("items") if response.status_code == 200 else None
            assert (path, response.status_code in {401, 403, 404} or listed == []) == (path, True)
        for method, path in (
            ("DELETE", theirs),
            ("POST", f"{theirs}/cancel"),
            ("POST", "/v1/keys"),
        ):
            assert (await site.call(method, path, {}, key=key)).status_code >= 400
        assert (await site.call("GET", theirs)).json()["phase"] == "running"

    play(scenario)


def test_forged_token(play: Play) -> None:
    async def scenario(site: Site) -> None:
        own = await site.submit()
        await site.phase(own, "running")
        good = token(own["id"])
        forged = [
            token(own["id"], b"guessed" * 8),
            token("job-of-nobody"),
            token(own["id"], tenant="acme"),
            good[:-4] + "AAAA",
            good.replace(".", "", 1),
        ]
        for each in forged:
            response = await site.call("GET", f"/v1/jobs/{own['id']}", key=each)
            assert response.status_code in {401, 404}

    play(scenario)
