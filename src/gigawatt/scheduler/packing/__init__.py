"""Single asks onto shared nodes, one at a time and for good: the policies of the packing benchmark, and ours."""
