"""Lists of nodes and pods in openb's format, drawn from a seed or written by hand."""

import numpy as np

from gigawatt.twin.openb import NodeRow, PodRow

NODES = "sn,cpu_milli,memory_mib,gpu,model"
PODS = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec"


def drawn_nodes(seed: int, count: int = 12) -> tuple[NodeRow, ...]:
    draw = np.random.default_rng(seed)
    return tuple(
        NodeRow(
            name=f"node-{number:02}",
            cpu_milli=int(draw.integers(8, 96)) * 1000,
            memory_mib=int(draw.integers(32, 384)) * 1024,
            gpus=int(draw.choice([1, 2, 4, 8])),
            model=str(draw.choice(["T4", "G2", "P100"])),
        )
        for number in range(count)
    )


def drawn_pods(seed: int, count: int = 80) -> tuple[PodRow, ...]:
    draw = np.random.default_rng(seed)
    rows: list[PodRow] = []
    for number in range(count):
        gpus = int(draw.choice([0, 1, 1, 1, 1, 2, 4]))
        part = gpus == 1 and draw.random() < 0.6
        rows.append(
            PodRow(
                name=f"pod-{number:03}",
                cpu_milli=int(draw.integers(1, 16)) * 1000,
                memory_mib=int(draw.integers(1, 32)) * 1024,
                gpus=gpus,
                gpu_milli=int(draw.integers(1, 20)) * 50 if part else 1000 * (gpus > 0),
                models=("G2", "T4") if draw.random() < 0.2 else (),
            )
        )
    return tuple(rows)


def nodes_csv(nodes: tuple[NodeRow, ...]) -> str:
    lines = [f"{n.name},{n.cpu_milli},{n.memory_mib},{n.gpus},{n.model}" for n in nodes]
    return "\n".join([NODES, *lines]) + "\n"


def pods_csv(pods: tuple[PodRow, ...]) -> str:
    lines = [
        f"{p.name},{p.cpu_milli},{p.memory_mib},{p.gpus},{p.gpu_milli},{'|'.join(p.models)}"
        for p in pods
    ]
    return "\n".join([PODS, *lines]) + "\n"
