"""Volumes as they were written, as the model's mounts, and what does not go together in them."""

from gigawatt.model.refusal import Fault
from gigawatt.model.volume import Mount
from gigawatt.spec.volumes import VolumeForm

DATA = "data"  # the directory of volumes that are given no path


def mounts_of(forms: list[VolumeForm]) -> tuple[Mount, ...]:
    """What was written, with paths filled in; `volume` still holds the reference."""
    return tuple(
        Mount(
            volume=form.volume,
            path=form.path or f"{DATA}/{form.volume.partition(':')[0]}",
            writable=form.mode == "rw",
        )
        for form in forms
    )


def volume_faults(forms: list[VolumeForm]) -> list[Fault]:
    """Volumes named twice, and paths of which one lies in another."""
    found: list[Fault] = []
    taken: dict[str, str] = {}
    seen: set[str] = set()
    for index, mount in enumerate(mounts_of(forms)):
        field = f"volumes.{index}"
        name = mount.volume.partition(":")[0]
        if name in seen:
            detail = f"{field} names {name} again"
            hint = "one version of a volume can be seen; push the other under another name"
            found.append(Fault(field=f"{field}.volume", detail=detail, hint=hint))
        seen.add(name)
        for other, whose in taken.items():
            if f"{mount.path}/".startswith(f"{other}/") or f"{other}/".startswith(f"{mount.path}/"):
                detail = f"{field}.path is {mount.path}, which is in the way of {whose} at {other}"
                found.append(Fault(field=f"{field}.path", detail=detail))
        taken[mount.path] = name
    return found
