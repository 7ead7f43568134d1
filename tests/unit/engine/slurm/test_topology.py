"""Topology: trees and blocks, as Slurm prints and keeps them."""

from pathlib import Path

import pytest
import yaml

from gigawatt.engine.slurm.site import read_topology
from gigawatt.engine.slurm.topology import Topology, parse_document, parse_lines
from gigawatt.model.refusal import RefusalError

TOLD = """\
SwitchName=leaf1 Level=0 LinkSpeed=1 Nodes=n[1-2]
SwitchName=leaf2 Level=0 LinkSpeed=1 Nodes=n[3-4]
SwitchName=spine Level=1 LinkSpeed=1 Nodes=n[1-4] Switches=leaf[1-2]
SwitchName=core Level=2 LinkSpeed=1 Nodes=n[1-4] Switches=spine
"""
CONF = """\
# racks of 18
BlockName=b1 Nodes=n[1-2]  # the first
BlockName=b2 Nodes=n[3-4]
BlockSizes=2,4
"""
YAML = """\
- topology: flat
  cluster_default: false
  flat: true
- topology: fabric
  cluster_default: true
  tree:
    switches:
      - switch: leaf1
        nodes: n[1-2]
      - switch: spine
        children: leaf[1-2]
  block:
    block_sizes: [2]
    blocks:
      - block: b1
        nodes: n[1-2]
"""


def test_switches_are_leaf_spine_and_hall_from_the_nodes_up() -> None:
    topology = Topology(parse_lines(TOLD), site="ci")
    assert topology.path("n3") == ("ci", "core", "spine", "leaf2", "", "", "n3")


def test_a_block_is_an_nvlink_domain() -> None:
    topology = Topology(parse_lines(CONF), site="ci")
    assert topology.path("n2") == ("ci", "", "", "", "", "b1", "n2")


def test_a_node_that_is_nowhere_has_its_site_alone() -> None:
    assert Topology(site="ci").path("x") == ("ci", "", "", "", "", "", "x")


def test_of_a_document_the_default_topology_counts() -> None:
    topology = Topology(parse_document(yaml.safe_load(YAML)), site="ci")
    assert topology.path("n1") == ("ci", "", "spine", "leaf1", "", "b1", "n1")


@pytest.mark.parametrize("document", [None, "text", 3, [], [1], {"topology": "x"}])
def test_a_document_of_something_else_has_no_groups(document: object) -> None:
    assert parse_document(document) == ()


def test_a_file_is_read_by_its_kind_and_refused_where_it_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "topology.yaml").write_text(YAML)
    (tmp_path / "topology.conf").write_text(CONF)
    assert len(read_topology(tmp_path / "topology.yaml")) == 3
    assert len(read_topology(tmp_path / "topology.conf")) == 2
    with pytest.raises(RefusalError, match=r"none\.conf"):
        read_topology(tmp_path / "none.conf")
