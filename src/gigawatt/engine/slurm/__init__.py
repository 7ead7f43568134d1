"""The engine for a Slurm cluster: one Slurm job for each attempt of a gang, on the nodes that we choose."""
