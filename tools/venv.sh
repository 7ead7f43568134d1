#!/bin/sh
# Makes the virtual environment $1. Takes the machine's own python3 if it is 3.11 or newer and can make one, or else
# the newest that can. PYTHON=... in the environment says which one to take.
set -eu

fits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
whole() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

lacking=""
for python in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
    fits "$python" || continue
    if whole "$python"; then
        exec "$python" -m venv --clear "$1"
    fi
    lacking=${lacking:-$python}
done

if [ -n "$lacking" ]; then
    version=$("$lacking" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    echo "$lacking cannot make virtual environments; on Debian or Ubuntu: sudo apt-get install python$version-venv" >&2
else
    echo "gigawatt needs Python 3.11 or newer; on Debian or Ubuntu: sudo apt-get install python3 python3-venv" >&2
fi
exit 1
