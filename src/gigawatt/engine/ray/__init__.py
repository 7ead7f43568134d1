"""The engine for a Ray cluster: one supervisor a node, put there by Ray; placement, ranks and their ends are ours."""

from gigawatt.engine.ray.engine import RayEngine, RayOptions
from gigawatt.engine.ray.heads import Head, Member
from gigawatt.engine.ray.scout import Cluster

__all__ = ["Cluster", "Head", "Member", "RayEngine", "RayOptions"]
