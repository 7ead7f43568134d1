"""Workspaces for real: JupyterLab with a kernel that computes, through the proxy; terminals; homes that outlive them."""

import asyncio
import json
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from benchmarks.http import Api
from benchmarks.instance import Instance, start
from websockets.sync.client import connect

from gigawatt.engine.supervisor.private import memory_place
from gigawatt.sdk.client import Client
from gigawatt.sdk.terminals import Terminal, attached
from gigawatt.sdk.workspace_views import WorkspaceView
from tests.waiting import until

pytestmark = pytest.mark.slow

VSCODE = next(filter(shutil.which, ("code-server", "openvscode-server")), "")
NO_VSCODE = (
    "neither code-server nor openvscode-server is on this machine: "
    "npm install --global code-server, where it can be built"
)
BUILD_S = 300.0  # JupyterLab's packages are fetched once
SMALL: dict[str, Any] = {"gang": {"cpus": 0.2}}

Browse = Callable[[str], "Browser"]


@pytest.fixture(scope="module")
def client(instance: Instance) -> Iterator[Client]:
    with Client(instance.api_url, instance.token) as made:
        yield made


def runs(client: Client, name: str) -> WorkspaceView:
    return rests(client, name, "running")


def rests(client: Client, name: str, phase: str) -> WorkspaceView:
    def look() -> WorkspaceView | None:
        view = client.workspaces.find(name)
        assert view["phase"] != "failed" or phase == "failed", view["message"]
        return view if view["phase"] == phase else None

    return until(look, timeout_s=BUILD_S, what=f"{name} {phase}: {client.workspaces.find(name)}")


@pytest.fixture(scope="module")
def lab(client: Client, tmp_path_factory: pytest.TempPathFactory) -> WorkspaceView:
    """JupyterLab over an environment without anything of Jupyter's in it, and with code of a person's."""
    code = tmp_path_factory.mktemp("code")
    (code / "mine.py").write_text("ANSWER = 42\n")
    (code / "asyncio.py").write_text("raise SystemExit('a file of mine')\n")
    client.workspaces.make(
        name="lab",
        environment={"kind": "uv", "requirements": ["six"]},
        bundle=str(code),
        idle="1h",
        **SMALL,
    )
    return runs(client, "lab")


@pytest.fixture
def browse(client: Client) -> Iterator[Browse]:
    """Browsers that have come in; closed at the test's end."""
    opened: list[Browser] = []

    def at(name: str) -> Browser:
        opened.append(Browser(client, name))
        return opened[-1]

    yield at
    for browser in opened:
        browser.http.close()


class Browser:
    """Come in by a link."""

    def __init__(self, client: Client, name: str) -> None:
        link = client.workspaces.open(name)["url"]
        self.base = link.partition("?")[0]
        self.http = httpx2.Client(timeout=60)
        assert self.http.get(link).status_code == 303

    def api(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.http.request(method, f"{self.base}api/{path}", json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def executed(self, kernel: str, code: str) -> str:
        """What a cell prints, by the kernel's WebSocket."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.http.cookies.items())
        address = self.base.replace("http", "ws", 1) + f"api/kernels/{kernel}/channels"
        origin = f"http://{urlsplit(self.base).netloc}"
        headers = {"Cookie": cookie, "Origin": origin}
        with connect(address, additional_headers=headers, proxy=None) as socket:
            asked = execute_request(code)
            socket.send(json.dumps(asked))
            said = ""
            while True:
                told = json.loads(socket.recv(timeout=60))
                if told["parent_header"].get("msg_id") != asked["header"]["msg_id"]:
                    continue
                if told["msg_type"] == "stream":
                    said += told["content"]["text"]
                elif told["msg_type"] == "error":
                    said += "\n".join(told["content"]["traceback"])
                elif told["msg_type"] == "execute_reply":
                    return said


def execute_request(code: str) -> dict[str, Any]:
    header = {
        "msg_id": uuid.uuid4().hex,
        "username": "test",
        "session": uuid.uuid4().hex,
        "msg_type": "execute_request",
        "version": "5.3",
    }
    content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
    return {
        "header": header,
        "parent_header": {},
        "metadata": {},
        "content": content,
        "channel": "shell",
        "buffers": [],
    }


def test_a_kernel_computes_in_the_persons_environment(browse: Browse, lab: WorkspaceView) -> None:
    browser = browse("lab")
    page = browser.http.get(browser.base, follow_redirects=True)
    assert "JupyterLab" in page.text
    (root,) = (each for each in browser.api("GET", "contents")["content"] if each["name"] == "code")
    assert root["type"] == "directory"
    kernel = browser.api("POST", "kernels", {"name": "python3", "path": "code"})["id"]
    code = (
        "import sys, six, os; sys.path.insert(0, os.path.expanduser('~/code')); import mine; "
        "print(mine.ANSWER, sys.prefix, six.__version__)"
    )
    said = browser.executed(kernel, code)
    assert said.startswith("42 "), said
    assert f"/{lab['environment']}" in said
    browser.api("DELETE", f"kernels/{kernel}")


def test_its_token_is_in_no_argument_and_no_log(
    instance: Instance, browse: Browse, lab: WorkspaceView
) -> None:
    browse("lab")
    memory = memory_place()
    on_disk = (instance.data / "nodes").glob(f"*/attempts/{lab['id']}.*/secrets/GIGAWATT_DESK")
    in_memory = memory.glob(f"*/{lab['id']}.*/GIGAWATT_DESK") if memory else ()
    secrets = [*on_disk, *in_memory]
    tokens = [path.read_text() for path in secrets]
    assert tokens
    assert all(path.stat().st_mode & 0o077 == 0 for path in secrets)
    argvs = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    logs = [path for path in instance.data.rglob("*") if path.is_file() and "log" in str(path)]
    for token in tokens:
        assert not any(token.encode() in argv for argv in argvs)
        assert not [path for path in logs if token.encode() in path.read_bytes()]
    codes = [path for path in logs if b"gigawatt-code=" in path.read_bytes()]
    assert codes == []


def test_suspending_keeps_the_home_and_gives_back_the_node(
    client: Client, browse: Browse, lab: WorkspaceView
) -> None:
    browser = browse("lab")
    notebook: dict[str, Any] = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    body: dict[str, Any] = {"type": "notebook", "format": "json", "content": notebook}
    browser.api("PUT", "contents/work.ipynb", body)
    client.workspaces.suspend("lab")
    rests(client, "lab", "suspended")
    free = {node["id"]: node["free"] for node in client.nodes.page()["items"]}
    total = {node["id"]: node["total"] for node in client.nodes.page()["items"]}
    assert free == total
    opened = browser.http.get(browser.base, headers={"Sec-Fetch-Mode": "navigate"})
    assert opened.status_code == 503
    runs(client, "lab")
    names = {each["name"] for each in browser.api("GET", "contents")["content"]}
    assert {"code", "work.ipynb"} <= names
    assert (Path(lab["home"]) / "work.ipynb").exists()


def test_a_busy_kernel_is_seen_and_an_idle_one_is_not(
    client: Client, browse: Browse, lab: WorkspaceView
) -> None:
    browser = browse("lab")
    runs(client, "lab")
    kernel = browser.api("POST", "kernels", {"name": "python3"})["id"]
    browser.executed(kernel, "import threading; e = threading.Event()")
    cookie = "; ".join(f"{name}={value}" for name, value in browser.http.cookies.items())
    address = browser.base.replace("http", "ws", 1) + f"api/kernels/{kernel}/channels"
    with connect(address, additional_headers={"Cookie": cookie}, proxy=None) as socket:
        socket.send(json.dumps(execute_request("e.wait()")))

        def busy() -> bool:
            use = client.workspaces.find("lab")["use"]
            return use is not None and use["busy"] == 1 and use["connections"] >= 1

        until(busy, timeout_s=60)
    browser.api("DELETE", f"kernels/{kernel}")

    def idle() -> bool:
        use = client.workspaces.find("lab")["use"]
        return use is not None and use["busy"] == 0

    until(idle, timeout_s=60)


async def said_after(terminal: Terminal, typed: bytes, wanted: bytes) -> bytes:
    """What a terminal shows once `wanted` is in it."""
    await terminal.type(typed)
    seen = b""
    async for data in terminal.output():
        seen += data
        if wanted in seen:
            break
    return seen


def test_a_shell_goes_on_when_nobody_is_attached(client: Client) -> None:
    client.workspaces.make(name="sh", program="shell", env={"COLOUR": "blue"}, **SMALL)
    view = runs(client, "sh")

    async def scenario() -> None:
        async with asyncio.timeout(60):
            async with attached(client.workspaces.open("sh")["url"]) as terminal:
                await terminal.resize(columns=123, rows=45)
                seen = await said_after(
                    terminal, b"it=still; stty size; echo $COLOUR:$HOME:$((40+2))\n", b":42"
                )
                assert b"45 123" in seen
                assert f"blue:{view['home']}:42".encode() in seen
            async with attached(client.workspaces.open("sh")["url"]) as again:
                seen = await said_after(again, b"echo $it-there-$((1+1))\n", b"still-there-2")
                assert b":42" in seen  # what was said before is shown to who comes back
                await again.type(b"exit 7\n")
                async for _ in again.output():
                    pass
                assert again.exit_code == 7

    asyncio.run(scenario())


@pytest.mark.skipif(bool(VSCODE), reason=f"{VSCODE} is on this machine")
def test_vscode_that_is_not_there_says_what_to_install(client: Client) -> None:
    client.workspaces.make(name="code", program="vscode", **SMALL)
    message = rests(client, "code", "failed")["message"]
    assert "npm install --global code-server" in message
    client.workspaces.delete("code")


@pytest.mark.skipif(not VSCODE, reason=NO_VSCODE)
def test_vscode_is_opened_by_a_link_and_only_with_it(client: Client, browse: Browse) -> None:
    client.workspaces.make(name="editor", program="vscode", idle="1h", **SMALL)
    runs(client, "editor")
    browser = browse("editor")
    page = browser.http.get(browser.base, follow_redirects=True)
    assert page.status_code == 200, page.text
    assert "workbench" in page.text  # what both servers call their page
    assert httpx2.get(browser.base).status_code == 404
    client.workspaces.suspend("editor")
    rests(client, "editor", "suspended")
    client.workspaces.delete("editor")


def test_the_next_control_plane_finds_it_as_it_was(own_data: Path) -> None:
    instance = start(own_data)

    async def say(typed: bytes, wanted: bytes) -> bytes:
        async with asyncio.timeout(60):
            async with attached(client.workspaces.open("sh")["url"]) as terminal:
                return await said_after(terminal, typed, wanted)

    with Client(instance.api_url, instance.token) as client:
        client.workspaces.make(name="sh", program="shell", **SMALL)
        runs(client, "sh")
        asyncio.run(say(b"it=remembered; echo $((40+2))\n", b"42"))
    instance.kill()
    instance = start(own_data)
    with Client(instance.api_url, instance.token) as client:
        runs(client, "sh")
        assert b"it is remembered" in asyncio.run(say(b"echo it is $it\n", b"it is remembered"))


def test_deleting_keeps_the_home_and_purging_does_not(instance: Instance, api: Api) -> None:
    for name, options in (("kept", ()), ("purged", ("--purge",))):
        instance.gw("dev", name, "--kind", "shell", "--cpus", "0.1", "--no-wait")
        instance.gw("dev", "delete", name, *options)
    home = instance.data / "homes" / "default" / "default"
    until(lambda: not (home / "purged").exists())
    assert (home / "kept").is_dir()


def test_the_command_line_prints_a_link_that_lets_in(
    instance: Instance, lab: WorkspaceView
) -> None:
    link = instance.gw("dev", "lab").strip()
    answer = httpx2.get(link)
    assert answer.status_code == 303, answer.text
    listed = json.loads(instance.gw("dev", "list", "-o", "json"))
    assert lab["name"] in [each["name"] for each in listed["items"]]
