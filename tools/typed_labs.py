"""mypy over the modules of labs, for `make lint`.

Every lab has a module `checks`, and a starter replaces modules of the services. Therefore each of these folders gets its own run, which
looks for modules in that folder first.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
LABS = ("labs/[0-9]*/", "tests/**/labs/[0-9]*/")
# files that replace those of the reference services
TREES = ("starter", "solution")


def main() -> int:
    folders = [(folder, modules) for folder, modules in _folders() if modules]
    failed = [folder for folder, modules in folders if not _is_typed(folder, modules)]
    print(f"{len(failed)} of {len(folders)} folders of labs have type errors.")
    return 1 if failed else 0


def _folders() -> Iterator[tuple[Path, list[Path]]]:
    """Each folder that may contain modules, and its modules."""
    for lab in sorted(found for pattern in LABS for found in ROOT.glob(pattern)):
        trees = [lab / name for name in TREES]
        yield lab, [module for module in lab.rglob("*.py") if not any(module.is_relative_to(tree) for tree in trees)]
        yield from ((tree, list(tree.rglob("*.py"))) for tree in trees)


def _is_typed(folder: Path, modules: list[Path]) -> bool:
    command = [sys.executable, "-m", "mypy", "--explicit-package-bases", "--no-error-summary", *map(str, modules)]
    return (
        subprocess.run(
            command, cwd=ROOT, env=os.environ | {"MYPYPATH": os.pathsep.join(map(str, (folder, folder.with_name("starter"))))}, check=False
        ).returncode
        == 0
    )


if __name__ == "__main__":
    sys.exit(main())
