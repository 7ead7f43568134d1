"""Which gang starts where, now: `decide(snapshot, policy) -> Decision`, pure and on arrays.

It knows one noun, the gang, and nothing of jobs, endpoints, engines or the clock: the encoder turns the world into
a snapshot, `reconcile` turns a decision into changes and actions.
"""
