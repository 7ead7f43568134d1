"""The production loop in virtual time: what a policy would do with a workload on a site, before it is tried there.

The twin calls the production cycle (`control.cycle`) and has none of its own. It replaces what is around it: the clock
by a queue of events, engines by `Machines`, people by a workload. It reads no wall clock, and no chance but a generator
that is seeded by its scenario, so the same input gives the same report, byte for byte.
"""
