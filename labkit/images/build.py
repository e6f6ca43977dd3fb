"""labkit images build: build the images for the Docker runtime from packages, for machines without a registry.

Four streams run in parallel: Debian's packages of two suites, Kafka's jars, and Python's wheels. Each image is built as soon as its inputs
are complete. An image whose recipe has not changed stays.
"""

import os
import re
import shutil
from collections.abc import Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit import paths
from labkit.docker_engine import Engine, client
from labkit.errors import UserError
from labkit.images import debian, recipes, wheels
from labkit.images.debian import Package, Suite
from labkit.images.parallel_work import Work, timed
from labkit.images.progress_display import Lines
from labkit.images.recipes import BASE, KAFKA, MARIADB, MYSQL, REDIS, SERVICES, Recipe
from labkit.servers.cache import cache_dir, remove_scratch, scratch_dir

SCRATCH = "images"
LABEL = "labkit.image"
FREE_BYTES_NEEDED = 2_000_000_000


@dataclass(frozen=True)
class Built:
    """An image after a build. `size` is in bytes and includes layers shared with other images."""

    kind: str
    reference: str
    server: str
    version: str
    size: int
    rebuilt: bool


def build(engine: Engine, view: Lines, *, database: str | None, fresh: bool = False) -> list[Built]:
    """Build all images that a stack needs. `database` None means MySQL, or MariaDB where MySQL is unavailable.

    With `fresh`, rebuild all images with today's packages. Only one build runs at a time. However it ends, no partial results remain.
    Raises UserError.
    """
    debian.refuse_without_tools()
    lock = cache_dir() / "images.lock"
    with paths.locked(lock):
        remove_scratch(SCRATCH)
        api = client(engine).api
        try:
            return _Build(engine, api, view, fresh=fresh).all(database)
        finally:
            api.close()


class _Build:
    def __init__(self, engine: Engine, api: Any, view: Lines, *, fresh: bool) -> None:
        self._engine, self._api, self._view = engine, api, view
        self._fresh = fresh
        self._suites: dict[str, Suite] = {}
        self._lists: dict[str, Future[None]] = {}

    def all(self, database: str | None) -> list[Built]:
        kinds = [database or MYSQL, REDIS, KAFKA, SERVICES]
        stale = [kind for kind in kinds if self._is_stale(kind)]
        if database is None and _labels(self._api, recipes.load(MYSQL).image) is None and not self._is_stale(MARIADB):
            kinds[0] = MARIADB  # an earlier build chose MariaDB, on request or because MySQL was unavailable
            stale.remove(MYSQL)
        if stale:
            kinds[0] = self._make(stale, database)
        return [self._facts(kind, kind in stale) for kind in kinds]

    def _is_stale(self, kind: str) -> bool:
        recipe = recipes.load(kind)
        found = _labels(self._api, recipe.image)
        return self._fresh or found is None or found.get("labkit.recipe") != recipe.digest(self._engine.architecture)

    def _make(self, stale: Collection[str], database: str | None) -> str:
        """Build the stale images. Returns the kind of the database image."""
        with scratch_dir(SCRATCH) as scratch:
            free = shutil.disk_usage(scratch).free
            if free < FREE_BYTES_NEEDED:
                raise UserError(
                    f"Only {free / 1e9:.1f} GB are free at {scratch}; building images takes {FREE_BYTES_NEEDED / 1e9:.0f} GB temporarily.",
                    "make room, or set LABKIT_CACHE to a folder on another disk",
                )
            try:
                with Work(self._view) as work:
                    return self._streams(stale, database, Path(scratch), work)
            finally:
                self._sweep()

    def _streams(self, stale: Collection[str], database: str | None, scratch: Path, work: Work) -> str:
        of = {kind: recipes.load(kind) for kind in stale}
        for suite in sorted({recipe.suite for recipe in of.values()}):
            self._begin_suite(suite, scratch, work)
        jars = work.begin(self._jars, scratch, work) if KAFKA in stale else None
        site = work.begin(self._site, of[SERVICES], scratch, work) if SERVICES in stale else None
        base = work.begin(self._base, scratch, work) if any(recipe.base for recipe in of.values()) else None
        before: Mapping[str, tuple[Future[Any] | None, ...]] = {KAFKA: (base, jars), SERVICES: (base, site), MYSQL: ()}
        images = {
            kind: work.begin(self._image, recipe, before.get(kind, (base,)), scratch, work) for kind, recipe in of.items() if kind != MYSQL
        }
        chosen = database or (MYSQL if MYSQL in stale else MARIADB)
        if MYSQL in stale:
            mysql = work.begin(self._image, of[MYSQL], (), scratch, work)
            try:
                work.wait_for(mysql)
            except UserError as error:
                if database is not None:
                    raise
                self._view.note(f"  mysql       {error.message} MariaDB is built instead.")
                self._begin_suite(recipes.load(MARIADB).suite, scratch, work)
                base = base or work.begin(self._base, scratch, work)
                images[MARIADB] = work.begin(self._image, recipes.load(MARIADB), (base,), scratch, work)
                chosen = MARIADB
        work.wait_for(*images.values())
        return chosen

    # inputs of the images

    def _begin_suite(self, name: str, scratch: Path, work: Work) -> None:
        if name in self._suites:
            return
        folder = scratch / name
        folder.mkdir()
        suite = self._suites[name] = Suite(name, self._engine.architecture, folder, work)

        def update() -> None:
            with timed(self._view, name, "Debian's package list"):
                suite.update()

        self._lists[name] = work.begin(update)

    def _jars(self, scratch: Path, work: Work) -> Path:
        """Return Kafka's jars, linked or copied from the cache. Maven fetches missing jars into the cache."""
        from labkit.servers import kafka
        from labkit.setup import fetch_kafka

        if kafka.find_libs() is None:
            with timed(self._view, "jars", f"Kafka {kafka.VERSION} by Maven"):
                fetch_kafka()
        found = kafka.find_libs()
        assert found is not None
        work.check()
        into = scratch / "libs"
        shutil.copytree(found[0], into, copy_function=_link)
        return into

    def _site(self, recipe: Recipe, scratch: Path, work: Work) -> Path:
        into = scratch / "site"
        with timed(self._view, "wheels", "Python's packages"):
            wheels.fetch(recipe.requirements, self._engine.architecture, into, work)
        return into

    def _base(self, scratch: Path, work: Work) -> None:
        recipe = recipes.load(BASE)
        if self._is_stale(BASE):
            self._image(recipe, (), scratch, work)

    def _image(self, recipe: Recipe, needs: tuple["Future[Any] | None", ...], scratch: Path, work: Work) -> None:
        """Fetch and unpack the packages, wait for the image's other inputs, and build it."""
        suite = self._suites[recipe.suite]
        self._lists[recipe.suite].result()
        work.check()
        folder = scratch / "contexts" / recipe.kind
        folder.mkdir(parents=True)
        packages = self._packages(recipe, suite)
        with timed(self._view, recipe.kind, f"{len(packages)} packages, {sum(p.size for p in packages) / 1e6:.0f} MB"):
            suite.fetch(recipe.kind, packages, folder / "packages")
            work.progress.state(recipe.kind, "unpacking packages")
            suite.unpack(folder / "packages", folder / "packages.tar", recipe.leave_out)
            shutil.rmtree(folder / "packages")
        for file in (*recipe.files.iterdir(), *recipe.folder.iterdir()):  # the recipe's own files take precedence
            if file.name != "Dockerfile" or file.parent == recipe.folder:
                shutil.copy(file, folder)
        for need in needs:
            if need is not None:
                result = need.result()
                if isinstance(result, Path):
                    result.rename(folder / result.name)
        with timed(self._view, recipe.kind, "image"):
            labels = {
                "labkit.version": _version(recipe, packages),
                "labkit.server": recipe.server,
                "labkit.recipe": recipe.digest(self._engine.architecture),
            }
            docker_build(self._engine, recipe.image, folder, labels, work)
        shutil.rmtree(folder)

    def _packages(self, recipe: Recipe, suite: Suite) -> list[Package]:
        """Return the recipe's packages without those of its base image."""
        found = suite.closure(recipe.packages, recipe.without)
        if recipe.base is None:
            return found
        base = recipes.load(recipe.base)
        there = set(suite.closure(base.packages, base.without))
        return [package for package in found if package not in there]

    # images on the engine

    def _facts(self, kind: str, rebuilt: bool) -> Built:
        recipe = recipes.load(kind)
        found = self._api.inspect_image(recipe.image)
        labels = found["Config"]["Labels"]
        return Built(kind, recipe.image, recipe.server, labels["labkit.version"], found["Size"], rebuilt)

    def _sweep(self) -> None:
        """Remove images that newer ones have replaced, and the intermediate images of a failed build."""
        import docker.errors

        for _ in range(8):  # a step can be removed only after the step on top of it
            left = self._api.images(filters={"dangling": True, "label": [LABEL]}, quiet=True)
            if not left:
                return
            for image in left:
                try:
                    self._api.remove_image(image)
                except docker.errors.APIError:
                    continue  # a container still uses it


def docker_build(
    engine: Engine, image: str, folder: Path, labels: Mapping[str, str], work: Work, arguments: Mapping[str, str] | None = None
) -> None:
    """Build the image from a folder with a Dockerfile. Raises UserError with the last lines of output.

    Uses the docker command instead of the SDK, because ending the command ends the build in the engine. Without `arguments`, the build has
    no network access.
    """
    options = [f"--label={name}={value}" for name, value in labels.items()]
    options += [f"--build-arg={name}={value}" for name, value in (arguments or {}).items()]
    options += [] if arguments else ["--network", "none"]
    code, said = work.run(
        ["docker", "build", "--force-rm", "--no-cache", "--tag", image, *options, folder],
        environment={"DOCKER_HOST": engine.host, "DOCKER_BUILDKIT": "0"},
    )
    if code != 0:
        last = [_plain(line)[:200] for line in said if line][-10:]
        raise UserError(f"The image {image} could not be built.", "labkit images build --fresh", details=last)


def _labels(api: Any, reference: str) -> dict[str, str] | None:
    import docker.errors

    try:
        return dict(api.inspect_image(reference)["Config"]["Labels"] or {})
    except docker.errors.ImageNotFound:
        return None


def _version(recipe: Recipe, packages: Collection[Package]) -> str:
    if recipe.jars:
        from labkit.servers import kafka

        found = kafka.find_libs()
        return found[1] if found else kafka.VERSION
    return next((debian.upstream(package.version) for package in packages if package.name == recipe.version_of), "")


def _plain(line: str) -> str:
    """Remove the builder's color codes, which it writes even without a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", line)


def _link(source: str, target: str) -> str:
    """Create a hard link, or a copy where the file system does not support it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
    return target
