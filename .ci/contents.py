"""What is in a wheel and an sdist: the package's own files, all of them, and nothing besides.

usage: python .ci/contents.py FOLDER
"""

import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

#: What an installer reads.
METADATA = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "top_level.txt", "licenses/LICENSE"}
#: What an sdist has besides the package.
BESIDE = {"CHANGELOG.md", "LICENSE", "MANIFEST.in", "PKG-INFO", "README.md", "pyproject.toml", "setup.cfg"}


def package():
    """The package's files in this checkout."""
    files = (path for path in (ROOT / "daskphys").rglob("*") if path.is_file())
    return {p.relative_to(ROOT).as_posix() for p in files if "__pycache__" not in p.parts}


def compare(what, found, expected):
    """End with the files that are too many or missing."""
    wrong = [f"{what} lacks {name}" for name in sorted(expected - found)]
    wrong += [f"{what} has {name}, which is no part of it" for name in sorted(found - expected)]
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{what}: {len(found)} files, and each is meant to be there")


def main(folder):
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    expected = package()
    assert {"daskphys/daskphys.yaml", "daskphys/py.typed"} <= expected

    info = "-".join(wheel.name.split("-")[:2]) + ".dist-info"
    with zipfile.ZipFile(wheel) as file:
        found = {name for name in file.namelist() if not name.endswith("/")}
    compare(wheel.name, found, expected | {f"{info}/{name}" for name in METADATA})

    top = sdist.name.removesuffix(".tar.gz")
    with tarfile.open(sdist) as file:
        found = {member.name.removeprefix(f"{top}/") for member in file if member.isfile()}
    found = {name for name in found if not name.startswith("daskphys.egg-info/")}  # setuptools's own
    compare(sdist.name, found, expected | BESIDE)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
