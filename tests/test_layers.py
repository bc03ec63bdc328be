"""The house: a file imports only from rooms above its own, and importing the package loads little."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import daskphys

ROOT = Path(daskphys.__file__).parent

#: From the top down.  A room may import the rooms above it.
ROOMS = [
    ["errors"],
    ["backend"],
    ["pairwise"],
    ["markup"],
    ["doors"],
    ["krylov"],
    ["physics"],
    ["optim"],
    ["graph"],
    ["config"],
    ["dashboard"],
    ["distributed"],
    ["interop"],
    ["storage"],
    ["datasets", "plotting", "testing"],
    ["demo"],
    ["cli"],
    ["__main__"],
    [""],  # the package's own __init__
]
LEVEL = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}

#: Rooms that a room must not import although they are above it.
FORBIDDEN = {"graph": {"physics", "optim"}, "dashboard": {"physics", "optim", "graph", "krylov", "doors"}}

ARRAY_LIBRARIES = {"cupy", "cupyx", "torch", "jax", "array_api_strict", "array_api_compat", "pyfftw"}

#: Where array libraries may be imported besides `backend`: doors, the probe for GPUs, and the kinds of images
#: that users ask for or show.
KNOW_ARRAYS = ("backend/", "interop/", "distributed/cluster.py", "datasets/", "plotting/", "testing/")


def modules():
    """Each module's dotted name and file."""
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


NAMES = dict(modules())


def imports(path):
    """All that a file imports, inside functions too, as dotted names."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in NAMES else node.module
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            argument = node.args[0]
            yield argument.value if isinstance(argument, ast.Constant) else ast.unparse(argument)


def within(path):
    """The modules of the package that a file imports."""
    return {name for name in imports(path) if name == "daskphys" or name.startswith("daskphys.")}


def room(name):
    return name.split(".")[1] if "." in name else ""


@pytest.mark.parametrize("name", NAMES)
def test_the_module_is_in_a_room(name):
    assert room(name) in LEVEL


@pytest.mark.parametrize("name", NAMES)
def test_no_arrow_goes_up(name):
    """A sub-package's modules may import one another; rooms of one level may not."""
    own = room(name)
    for imported in within(NAMES[name]):
        other = room(imported)
        assert other == own or LEVEL[other] < LEVEL[own], f"{name} imports {imported}, which is not above it"
        assert other not in FORBIDDEN.get(own, ()), f"{name} imports {imported}"


def test_no_cycles():
    """Importing a module of a sub-package also runs the sub-package's own file: that counts as an import from outside."""
    graph = {}
    for name, path in NAMES.items():
        needed = within(path) - {name}
        outside = {".".join(n.split(".")[:2]) for n in needed if room(n) != room(name)}
        graph[name] = (needed | outside) & set(NAMES) - {"daskphys"}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other in a ring: {' → '.join(error.args[1])}")


def outside(name):
    """The top names of what a module imports from other packages."""
    return {imported.split(".")[0] for imported in imports(NAMES[name])}


@pytest.mark.parametrize("name", [n for n in NAMES if room(n) in ("physics", "optim")])
def test_physics_knows_no_dask(name):
    assert not outside(name) & {"dask", "distributed"}
    assert not any(n.startswith(("daskphys.graph", "daskphys.distributed")) for n in within(NAMES[name]))


@pytest.mark.parametrize("name", [n for n in NAMES if room(n) == "graph"])
def test_graph_knows_no_physics_and_no_cluster(name):
    assert "distributed" not in outside(name)
    assert {room(n) for n in within(NAMES[name])} <= {"graph", "errors", "pairwise", "markup"}


def test_physics_and_graph_meet_in_distributed_and_interop_alone():
    for name in NAMES:
        rooms = {room(n) for n in within(NAMES[name])}
        if {"physics", "graph"} <= rooms:
            assert room(name) in ("distributed", "interop"), name


def test_no_mathematics_reads_the_configuration():
    """So no result can depend on it: it is below `physics` and `graph`, and nobody else reads Dask's for us."""
    readers = {room(name) for name in NAMES if "daskphys.config" in within(NAMES[name])}
    assert readers == {"distributed", "cli"}


@pytest.mark.parametrize("name", NAMES)
def test_only_the_backend_knows_array_libraries(name):
    path = NAMES[name].relative_to(ROOT).as_posix()
    if not path.startswith(KNOW_ARRAYS):
        assert not outside(name) & ARRAY_LIBRARIES
    if not path.startswith("backend/"):
        assert not any(imported.startswith("scipy.fft") for imported in imports(NAMES[name]))


def test_the_parser_sees_lazy_imports():
    """Else the tests above could pass by seeing nothing."""
    found = set(imports(NAMES["daskphys.backend.arrays"])) | set(imports(NAMES["daskphys.backend.fft"]))
    assert {"cupy", "numpy", "scipy.fft", "daskphys.errors"} <= found
    assert "daskphys.physics.hooks" in within(NAMES["daskphys.physics.base"])


def loaded(code):
    """The modules that a fresh interpreter has loaded after `code`."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import sys; {code}; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


NEVER = {
    "torch",
    "cupy",
    "xarray",
    "zarr",
    "matplotlib",
    "PIL",
    "skimage",
    "pytest",
    "IPython",
    "ipywidgets",
    "tqdm",
}


def test_importing_the_package_loads_nothing_optional():
    """Besides what Dask does: where xarray is installed, `dask.array` imports it."""
    before, after = loaded("import dask.array, distributed"), loaded("import daskphys")
    assert not {name.split(".")[0] for name in after - before} & NEVER


def test_importing_the_package_loads_little_besides_dask():
    """Its time is that of Dask's own import, so what comes on top is counted, not timed."""
    before, after = loaded("import dask.array, distributed"), loaded("import daskphys")
    own = {name for name in after if name.startswith("daskphys")}
    assert own <= set(NAMES)
    extra = after - before - own
    assert {name.split(".")[0] for name in extra} <= {
        *sys.stdlib_module_names,
        "scipy",
        "dask",
        "importlib_metadata",
    }
    assert len(extra) <= 60, sorted(extra)
