"""The images of the containers: present, missing, and their sizes."""

from collections.abc import Iterator

from labkit.doctor.findings import BAD, OK, Finding
from labkit.doctor.subject import Subject
from labkit.errors import UserError

# MB of the official images, unpacked, and of the services' images.
USUAL_MB = {"mysql": 790, "kafka": 410, "redis": 140, "services": 140}
FIX = "labkit images pull, while the network is good; or labkit images build, from packages; or labkit images import FILE"


def examine(subject: Subject) -> Iterator[Finding]:
    if not subject.takes_docker or subject.engine is None:
        return
    from labkit.images import catalog

    try:
        images = catalog.chosen(subject.engine)
    except UserError as error:
        yield Finding("images", BAD, error.message, error.next_step or "labkit images list")
        return
    missing = catalog.missing(images)
    facts = {
        kind: {"reference": image.reference, "present": image.present, "size_bytes": image.size, "architecture": image.architecture}
        for kind, image in images.items()
    }
    if missing:
        named = [f"{image.reference} (about {USUAL_MB[image.kind]} MB)" for image in missing]
        sentence = f"{len(missing)} of {len(images)} images are missing: {', '.join(named)}."
        yield Finding("images", BAD, sentence, FIX, facts)
        return
    named = [f"{image.reference} ({image.description}, {(image.size or 0) / 1e6:.0f} MB)" for image in images.values()]
    yield Finding("images", OK, f"All {len(images)} images are present: {', '.join(named)}.", facts=facts)


def still_to_get(subject: Subject) -> dict[str, int]:
    """Return the missing images and their sizes in MB."""
    if not subject.takes_docker or subject.engine is None:
        return {}
    from labkit.images import catalog

    try:
        return {image.kind: USUAL_MB[image.kind] for image in catalog.missing(catalog.chosen(subject.engine))}
    except UserError:
        return {}
