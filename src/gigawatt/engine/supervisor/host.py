"""What every attempt of a node works with."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from gigawatt.engine.supervisor.digests import Digests
from gigawatt.engine.supervisor.layout import Entry, Layout
from gigawatt.engine.supervisor.limits import Limits
from gigawatt.engine.supervisor.loop import Loop
from gigawatt.engine.supervisor.notes import Notes
from gigawatt.engine.supervisor.ports import Ports
from gigawatt.engine.supervisor.private import Vault


class Host(NamedTuple):
    loop: Loop
    notes: Notes
    layout: Layout
    limits: Limits
    ports: Ports
    digests: Digests
    vault: Vault
    instance: str
    node: str
    address: str
    emit: Callable[[str, Entry], None]  # tell the control plane of an attempt's entry
    others_run: Callable[[str], bool]  # whether attempts besides this one have processes
