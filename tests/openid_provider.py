"""npm's oidc-provider, a certified OpenID provider, as a process of its own; and a browser that agrees to everything."""

import html
import re
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import httpx2
import pytest

VERSION = "9.13.3"
SCRIPT = Path(__file__).with_suffix(".js")
INSTALL_S, STEPS_MAX = 180, 12
_FORM = re.compile(r"<form[^>]*>.*?</form>", re.DOTALL)
_ACTION = re.compile(r'<form[^>]*action="([^"]+)"')
_INPUT = re.compile(r"<input[^>]*>")
_ATTRIBUTE = re.compile(r'(name|value)="([^"]*)"')


@contextmanager
def openid_provider() -> Generator[str]:
    """Its issuer. Skips the test where there is no Node, or npm does not have the package."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node here to run npm's oidc-provider")
    process = subprocess.Popen(
        [node, str(SCRIPT)],
        env={"NODE_PATH": str(_installed() / "node_modules"), "PATH": str(Path(node).parent)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()  # it ends with its input
        process.stdout.close()
        process.wait(timeout=60)


class Browser:
    """Follows redirects, and fills in whatever form a provider shows."""

    def __init__(self) -> None:
        self.http = httpx2.Client(timeout=60.0, follow_redirects=False, trust_env=False)

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def visit(self, url: str, *, person: str, until: str) -> httpx2.Response:
        """Go on as `person`, until a page has `until` in its address or its text."""
        response = self.http.get(url)
        for _ in range(STEPS_MAX):
            if until in str(response.url) or until in response.text:
                return response
            if response.is_redirect:
                response = self.http.get(urljoin(str(response.url), response.headers["location"]))
                continue
            action, fields = _form_of(response.text)
            fields |= {"login": person, "password": "any"} if "login" in fields else {}
            response = self.http.post(urljoin(str(response.url), action), data=fields)
        raise AssertionError(response.text)


def _form_of(page: str) -> tuple[str, dict[str, str]]:
    form = _FORM.search(page)
    assert form is not None, page
    action = _ACTION.search(form[0])
    assert action is not None, page
    inputs = [dict(_ATTRIBUTE.findall(each)) for each in _INPUT.findall(form[0])]
    fields = {
        each["name"]: html.unescape(each.get("value", "")) for each in inputs if "name" in each
    }
    return html.unescape(action[1]), fields


def _installed() -> Path:
    """Where the package is, fetched once a machine."""
    place = Path(tempfile.gettempdir()) / f"gigawatt-oidc-provider-{VERSION}"
    if (place / "node_modules" / "oidc-provider").is_dir():
        return place
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("there is no npm here to fetch oidc-provider")
    with tempfile.TemporaryDirectory(dir=place.parent) as fresh:
        command = [
            npm,
            "install",
            "--no-audit",
            "--no-fund",
            "--silent",
            f"oidc-provider@{VERSION}",
        ]
        done = subprocess.run(
            command, cwd=fresh, capture_output=True, check=False, timeout=INSTALL_S
        )
        if done.returncode:
            pytest.skip(f"npm has no oidc-provider here: {done.stderr.decode()[-200:]}")
        made = Path(fresh) / "whole"
        made.mkdir()
        (Path(fresh) / "node_modules").rename(made / "node_modules")
        if not place.exists():
            made.rename(place)
    return place
