#!/bin/sh
# Runs every check, also after one has failed, and says at the end which did.
set -u

failed=""
run() {
    name=$1
    shift
    printf '== %s\n' "$name"
    "$@" || failed="$failed $name"
}

run format ruff format --check --quiet .
run lint ruff check --quiet .
run types basedpyright --level warning
run layers lint-imports --no-cache
run house python -m pytest -q tests/house

if [ -n "$failed" ]; then
    printf 'failed:%s\n' "$failed"
    exit 1
fi
printf 'all checks passed\n'
