"""What the settings say of a Ray cluster."""

import ipaddress
import socket

from gigawatt.engine.ray import Cluster, Head, Member, RayOptions
from gigawatt.engine.ray.files import Files
from gigawatt.engine.ray.heads import check_ray
from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.server.walls import walls_of
from gigawatt.settings import Settings


def ray_cluster(settings: Settings) -> Cluster:
    """The one that is named, or that of a head of our own. Raises RefusalError."""
    check_ray()
    files = Files(settings.data)
    if settings.ray_address:
        if not settings.ray_token:
            raise RefusalError(
                RefusalCode.INVALID,
                f"there is no token for the Ray cluster at {settings.ray_address}",
                field="ray_token",
                hint="set GIGAWATT_RAY_TOKEN to the file that its nodes were started with",
            )
        place = "" if ipaddress.ip_address(_address(settings)).is_loopback else settings.host
        return Cluster(
            address=settings.ray_address,
            node_ip=place,
            token_file=settings.data / settings.ray_token,
            nodes=settings.ray_nodes,
        )
    return Cluster(
        address=f"{_address(settings)}:{settings.ray_port}",
        node_ip=_address(settings),
        token_file=files.token,
        nodes=settings.ray_nodes,
    )


def ray_options(settings: Settings) -> RayOptions:
    """With a head of our own where no other is named; this machine is a node of it."""
    if settings.ray_address:
        return RayOptions(orphan_s=settings.orphan_s, walls=walls_of(settings))
    files = Files(settings.data)
    files.make()
    files.make_token()
    member = Member(
        node=socket.gethostname().split(".")[0].lower(),
        address=_address(settings),
        token_file=files.token,
        directory=str(files.root / "here"),
    )
    head = Head(
        member,
        settings.ray_port,
        record=files.head,
        log_file=settings.data / "logs" / "ray-head.log",
    )
    return RayOptions(head=head, orphan_s=settings.orphan_s, walls=walls_of(settings))


def _address(settings: Settings) -> str:
    """Of the one interface that all is bound to. Raises RefusalError."""
    try:
        address = socket.gethostbyname(settings.host)
    except OSError as error:
        raise RefusalError(
            RefusalCode.INVALID, f"{settings.host} has no address: {error}", field="host"
        ) from error
    if ipaddress.ip_address(address).is_unspecified:
        raise RefusalError(
            RefusalCode.INVALID,
            "a Ray cluster is bound to one interface, and --host names all of them",
            field="host",
            hint="name the address that the nodes reach this machine by",
        )
    return address
