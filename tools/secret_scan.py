"""Looks for secrets in what git has: private keys, and tokens whose form says what they are. Exits 1 where it finds one.

A line that must look like one says `not a secret` beside it. What is found is not repeated: place and kind are.
"""

import re
import subprocess
import sys
from pathlib import Path

ALLOWED = b"not a secret"
NEWLINE = b"\n"
BYTES_MAX = 4 << 20
KINDS = {
    "private key": rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40}",
    "AWS key": rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "GitHub token": rb"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,})\b",
    "Hugging Face token": rb"\bhf_[A-Za-z]{34}\b",
    "OpenAI key": rb"\bsk-(?:proj-)?[A-Za-z0-9]{40,}\b",
    "Slack token": rb"\bxox[abprs]-[0-9A-Za-z-]{20,}\b",
    "Google key": rb"\bAIza[0-9A-Za-z_-]{35}\b",
    "PyPI token": rb"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{20,}",
    "JSON web token": rb"\beyJ[A-Za-z0-9_-]{20,}\.eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}",
    "key of an instance": rb"\bgw_(?:[0-9a-f]{64}|[A-Za-z0-9_-]{43})\b",
}
_ANY = re.compile(b"|".join(b"(" + each + b")" for each in KINDS.values()))


def main(paths: list[str]) -> int:
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, check=True).stdout
    names = paths or [name for name in listed.decode().split("\0") if name]
    found = [line for name in names for line in scan(Path(name))]
    print(f"{len(names)} files, {len(found)} secrets")
    print("\n".join(found))
    return 1 if found else 0


def scan(path: Path) -> list[str]:
    """Place and kind of each."""
    if not path.is_file() or path.stat().st_size > BYTES_MAX:
        return []
    data = path.read_bytes()
    kinds = list(KINDS)
    return [
        f"{path}:{data.count(NEWLINE, 0, each.start()) + 1}: {kinds[(each.lastindex or 1) - 1]}"
        for each in _ANY.finditer(data)
        if ALLOWED not in _line(data, each.start())
    ]


def _line(data: bytes, at: int) -> bytes:
    start = data.rfind(b"\n", 0, at) + 1
    end = data.find(b"\n", at)
    return data[start : end if end >= 0 else len(data)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
