"""Checks of one machine, run as a program of their own: standard library only, and sparing with imports.

A check returns a `Said`. An operator's own check is any program: exit code 0 is ok, 1 warns, anything else fails, and
its last line says why. `watch` costs little and disturbs nothing; `quick` and `full` put load on the machine, so they
run where nothing else does.
"""
