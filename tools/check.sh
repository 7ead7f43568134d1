#!/bin/sh
# Runs every check, also after one has failed, and says at the end how each went. Needs the tools on PATH.
set -u

report=""
failed=0

run() { # NAME COMMAND...: the command's output is shown if it fails, or ends with 77: it found nothing out
    name=$1
    shift
    started=$(date +%s)
    output=$("$@" 2>&1)
    case $? in
    0) verdict=ok ;;
    77) # it could not find out, and says why
        verdict=unknown
        printf '%s\n%s\n\n' "== $name: $*" "$output"
        ;;
    *)
        verdict=FAILED
        failed=1
        printf '%s\n%s\n\n' "== $name: $*" "$output"
        ;;
    esac
    took=$(($(date +%s) - started))
    report="$report$(printf '%-8s %-7s %3d s' "$name" "$verdict" "$took")
"
}

run format ruff format --check .
run lint ruff check .
run types basedpyright
run layers lint-imports --no-cache
run secrets python tools/secret_scan.py
run audit python tools/audit.py
run house python -m pytest -q -p no:cacheprovider tests/house
run changes towncrier build --draft --version next

printf '%s' "$report"
exit $failed
