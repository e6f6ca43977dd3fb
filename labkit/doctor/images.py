"""The images that the containers are made from: have, need and size."""

from collections.abc import Iterator, Mapping
from typing import Any

from labkit.doctor.findings import BAD, OK, Finding
from labkit.doctor.subject import Subject

# MB of those that are not there yet, unpacked.
USUAL_MB = {"mysql": 790, "kafka": 410, "redis": 140, "services": 330}


def examine(subject: Subject) -> Iterator[Finding]:
    if not subject.takes_docker or subject.engine is None:
        return
    images = _chosen(subject)
    have = {kind: image for kind, image in images.items() if image.present}
    facts = {
        kind: {"reference": i.reference, "present": i.present, "size_bytes": i.size_bytes, "architecture": i.architecture}
        for kind, i in images.items()
    }
    if len(have) < len(images):
        missing = [f"{kind} ({image.reference}, about {USUAL_MB.get(kind, 300)} MB)" for kind, image in images.items() if not image.present]
        sentence = f"{len(missing)} of {len(images)} images are not there yet: {', '.join(missing)}."
        fix = "labkit up while the network is good; without a network: labkit images import FILE, or labkit images build"
        yield Finding("images", BAD, sentence, fix, facts)
    else:
        size = sum(image.size_bytes or 0 for image in have.values()) / 1e9
        shown = ", ".join(f"{kind} ({image.reference})" for kind, image in have.items())
        yield Finding("images", OK, f"All {len(images)} images are there, {size:.1f} GB: {shown}.", facts=facts)
    for kind, image in have.items():
        if image.architecture and image.architecture != subject.engine.architecture:
            sentence = f"The image for {kind} ({image.reference}) is {image.architecture}, the engine {subject.engine.architecture}."
            yield Finding(f"images.{kind}", BAD, sentence, f"docker image rm {image.reference}, then labkit up")


def still_to_get(subject: Subject) -> dict[str, int]:
    """MB of each image that is not there."""
    if not subject.takes_docker or subject.engine is None:
        return {}
    return {kind: USUAL_MB.get(kind, 300) for kind, image in _chosen(subject).items() if not image.present}


def _chosen(subject: Subject) -> Mapping[str, Any]:
    from labkit.images import catalog

    chosen: Mapping[str, Any] = catalog.chosen(subject.engine)
    return chosen
