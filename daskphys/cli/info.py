"""``daskphys info``: versions, what is configured, devices, the cluster, and what falls back to what."""

from __future__ import annotations

import argparse
import os
import platform
import warnings
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from daskphys import config
from daskphys.cli import clusters
from daskphys.cli.arguments import say_json
from daskphys.distributed import DistributedContext
from daskphys.distributed.cluster import ALLOCATOR, gpu_count
from daskphys.errors import DaskphysWarning
from daskphys.markup import bytes_text

CORE = ("daskphys", "dask", "distributed", "numpy", "scipy", "bokeh", "matplotlib")

#: What each optional package is for.
OPTIONAL = {
    "torch": "tensors in and out",
    "xarray": "named dimensions",
    "zarr": "operators on disk",
    "finufft": "non-uniform Fourier transforms, non-Cartesian MRI",
    "ducc0": "radio interferometry",
    "astra-toolbox": "tomography",
    "ismrmrd": "MRI files",
    "pyuvdata": "files of visibilities",
    "pylops": "PyLops operators",
    "tqdm": "progress bars",
    "ipywidgets": "sliders in notebooks",
    "cupy": "GPUs",
    "dask-cuda": "clusters of GPUs",
}

#: What pip calls a package, where that is not its name alone.
INSTALLED_AS = {"cupy": "cupy-cuda13x", "dask-cuda": "'dask-cuda[cu13]'"}


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "info",
        parents=[common],
        allow_abbrev=False,
        help="versions, what is configured, devices, the cluster, and what falls back to what",
        description="Show versions, what is installed, what Dask's configuration changes, devices, and the workers of a "
        "cluster: of one that is there, or of the one that DistributedContext() starts here.",
    )
    clusters.add(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run, parser=parser)


def run(given: argparse.Namespace) -> list[str]:
    """Run the command; returns what went wrong."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DaskphysWarning)  # fall-backs are listed
        with clusters.context(given) as ctx:
            found = {
                "versions": {name: _version(name) for name in CORE} | {"Python": platform.python_version()},
                "optional": {name: _version(name) for name in OPTIONAL},
                "machine": {"cores": os.cpu_count(), "GPUs": gpu_count()},
                "configuration": {
                    key: {"value": value, "from": where} for key, (value, where) in config.changed().items()
                },
                "cluster": _cluster(ctx),
            }
    say_json(found) if given.json else _say(found)
    return []


def _version(name: str) -> str | None:
    for package in (name, f"{name}-cuda12x", f"{name}-cuda13x"):
        try:
            return version(package)
        except PackageNotFoundError:
            continue
    return None


def _cluster(ctx: DistributedContext) -> dict[str, Any]:
    environment = ctx.client.run(_allocator)
    return {
        "address": ctx.client.scheduler.address,
        "dashboard": ctx.dashboard_link,
        "dashboard note": ctx.dashboard_note,
        "device": ctx.device,
        "fall-backs": list(ctx.fallbacks),
        "workers": [
            {"name": str(name), "threads": info.threads, "memory": info.memory}
            for name, info in ctx.workers().items()
        ],
        "allocator": all(environment.values()),
    }


def _allocator() -> bool:
    """Whether this worker's allocator keeps large blocks for the next call."""
    return all(os.environ.get(name) == value for name, value in ALLOCATOR.items())


def _say(found: dict[str, Any]) -> None:
    rows = [("versions", ", ".join(f"{name} {number}" for name, number in found["versions"].items()))]
    for name, number in found["optional"].items():
        missing = f"not installed: python -m pip install {INSTALLED_AS.get(name, name)}"
        rows.append((name, f"{number or missing} ({OPTIONAL[name]})"))
    rows += [
        ("configured", f"{key}: {of['value']} (from {of['from']})")
        for key, of in found["configuration"].items()
    ]
    machine, cluster = found["machine"], found["cluster"]
    rows += [
        ("machine", f"{machine['cores']} cores, {machine['GPUs']} GPUs"),
        ("cluster", f"{cluster['address']}, on {cluster['device']}"),
        ("dashboard", cluster["dashboard"]),
        *([("", cluster["dashboard note"])] if cluster["dashboard note"] else []),
    ]
    rows += [
        (
            f"worker {w['name']}",
            f"{w['threads']} threads, " + (bytes_text(w["memory"]) if w["memory"] else "no limit"),
        )
        for w in cluster["workers"]
    ]
    settings = " ".join(f"{name}={value}" for name, value in ALLOCATOR.items())
    rows.append(
        (
            "allocator",
            "set to keep large blocks"
            if cluster["allocator"]
            else "that of this process, whose threads the workers are"
            if cluster["address"].startswith("inproc://")
            else f"not set: start worker processes with {settings}",
        )
    )
    rows += [("fall-back", text) for text in cluster["fall-backs"]]
    for name, text in rows:
        print(f"{name:<13} {text}")  # a worker may be named by a long address
