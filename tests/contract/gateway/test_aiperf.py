"""AIPerf against the gateway, where it is installed: on the PATH, or named by GIGAWATT_AIPERF. It needs no network."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.contract.gateway.site import KEY, Site, endpoint

pytestmark = pytest.mark.slow

AIPERF = os.environ.get("GIGAWATT_AIPERF") or shutil.which("aiperf")
REQUESTS = 20
REVISION = "0" * 40
# One token a byte, kept where its tokenizers are looked for without a network.
MAKE_TOKENIZER = """
import sys
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
plain = Tokenizer(models.BPE(vocab={each: n for n, each in enumerate(alphabet)}, merges=[]))
plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
plain.decoder = decoders.ByteLevel()
PreTrainedTokenizerFast(tokenizer_object=plain).save_pretrained(sys.argv[1])
"""


@pytest.mark.skipif(AIPERF is None, reason="aiperf is not installed: pip install aiperf")
def test_aiperf_finds_nothing_wrong(site: Site, tmp_path: Path) -> None:
    assert AIPERF is not None
    replica = site.replica()
    site.start(endpoint(("replica-1", replica.server.port)))
    cached = tmp_path / "hub" / "models--gigawatt--bytes"
    snapshot = cached / "snapshots" / REVISION
    snapshot.mkdir(parents=True)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(REVISION)
    python = str(Path(AIPERF).with_name("python"))
    subprocess.run([python, "-c", MAKE_TOKENIZER, str(snapshot)], check=True, capture_output=True)
    (snapshot / "config.json").write_text('{"model_type": "gpt2"}')
    fields = {
        "--model": "tiny-gpt",
        "--url": f"http://127.0.0.1:{site.port}",
        "--endpoint-type": "chat",
        "--tokenizer": "gigawatt/bytes",
        "--api-key": KEY,
        "--request-count": str(REQUESTS),
        "--concurrency": "4",
        "--synthetic-input-tokens-mean": "20",
        "--output-tokens-mean": "4",
        "--ui": "none",
        "--output-artifact-dir": str(tmp_path / "told"),
    }
    words = [word for pair in fields.items() for word in pair]
    environ = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [AIPERF, "profile", *words],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4_000:]
    told = json.loads((tmp_path / "told" / "profile_export_aiperf.json").read_text())
    assert told["request_count"]["avg"] == REQUESTS
    assert len(replica.received) == REQUESTS
