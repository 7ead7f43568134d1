"""The program beside the ranks: one process for each virtual node, which outlives the control plane.

Standard library only, importing nothing of gigawatt but this package, and sparing with imports: it must be small and
start at once, because every node has one. Values are NamedTuples here, since dataclasses alone would cost 1.6 MB.
"""
