"""The page for those who come from deepinv.distributed: its lines run, on both sides where deepinv is there."""

import contextlib
import importlib.util
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

PAGE = (Path(__file__).parent.parent.parent / "docs" / "howto" / "coming_from_deepinv.md").read_text("utf-8")

#: What deepinv finds by an iteration, and how far from the truth that may be.
BY_ITERATION = {"found": 0.05, "norm": 0.02, "bound": 0.03}

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    with_deepinv = importlib.util.find_spec("deepinv") is not None
needs_deepinv = pytest.mark.skipif(not with_deepinv, reason="deepinv is not installed")


def rows(heading):
    """The lines of a table's two columns."""
    table = re.search(
        rf"^\| deepinv.distributed \| {heading} \|\n\|[ |-]+\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE
    )
    cells = [
        [cell.strip().strip("`") for cell in line.strip("|").split(" | ")] for line in table[1].splitlines()
    ]
    assert all(len(pair) == 2 for pair in cells)
    return cells


def ran(lines, namespace, stack):
    """The names that the lines have made; what a `with` opens is closed by `stack`."""
    for line in filter(None, lines):
        opened = re.fullmatch(r"with (.+) as (\w+):", line)
        if opened:
            namespace[opened[2]] = stack.enter_context(eval(opened[1], namespace))
        else:
            exec(line, namespace)
    return namespace


def setting():
    """What the page gives both sides."""
    namespace = {"__name__": "page"}
    exec(re.search(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[1], namespace)
    return namespace


def numbers(value):
    """What a line made, as arrays; None where it is no numbers."""
    if isinstance(value, str | type) or callable(value):
        return None
    if isinstance(value, torch.Tensor | int | float):
        return [np.asarray(value)]
    with contextlib.suppress(TypeError, KeyError, ValueError):
        return [np.asarray(value[i]) for i in range(len(value))]
    return None


def compared(theirs, ours):
    """The names that both sides have, each with the same numbers."""
    found = []
    for name in sorted(set(theirs) & set(ours) - set(setting())):
        one, other = numbers(theirs[name]), numbers(ours[name])
        if name in ("A", "D", "F", "T", "P", "views") or one is None or other is None:
            continue
        assert len(one) == len(other), name
        for a, b in zip(one, other, strict=True):
            assert a.shape == b.shape, name
            assert np.abs(a - b).max() <= BY_ITERATION.get(name, 1e-5) * np.abs(b).max(), name
        found.append(name)
    return found


def test_the_lines_on_the_right_run():
    pairs = rows("daskphys")
    assert len(pairs) > 20
    with contextlib.ExitStack() as stack:
        names = ran([ours for _, ours in pairs], setting(), stack)
        x, y = names["x"], names["y"]
        plain = names["A"].A(x)
        for own, other in zip(plain, y, strict=True):
            assert torch.equal(own, other)
        for own, other in zip(plain, names["stays"], strict=True):
            assert np.array_equal(own.numpy(), other.compute())
        assert torch.equal(names["back"], names["A"].A_adjoint(y))
        assert torch.allclose(names["found"], x, atol=1e-4)
        assert torch.allclose(sum(names["parts"]), names["back"], atol=1e-5)
        assert torch.allclose(names["slope"], -names["back"], atol=1e-5)
        assert names["norm"] == pytest.approx(3.0)
        assert names["bound"] == pytest.approx(3.0)
        assert (names["n"], names["mine"]) == (3, [0, 1, 2])


@needs_deepinv
@pytest.mark.filterwarnings("ignore::UserWarning:deepinv")
def test_both_sides_have_the_same_numbers():
    expected = {
        "y",
        "back",
        "normal",
        "other",
        "product",
        "found",
        "norm",
        "bound",
        "n",
        "mine",
        "parts",
        "stays",
    }
    expected |= {"seen", "value", "slope", "start", "image", "lines", "smear"}
    found = set()
    for side in (0, 1):
        with contextlib.ExitStack() as stack:
            names = ran([pair[side] for pair in rows("daskphys")], setting(), stack)
            names = ran([pair[side] for pair in rows("daskphys with deepinv")], names, stack)
            # What is lazy needs its cluster.
            names["stays"] = [np.asarray(names["stays"][i]) for i in range(3)]
            sides = (names,) if side == 0 else (*sides, names)  # noqa: F821
            found = set(compared(*sides)) if side else found
    assert found == expected


@needs_deepinv
def test_what_defaults_of_deepinv_give():
    """The figures of the page's last part."""
    from deepinv.distributed import DistributedContext, distribute
    from deepinv.physics import Inpainting, stack

    x = setting()["x"][:, :1]
    mask = (torch.rand(1, 1, 48, 48) > 0.5).float()
    masks = stack(*(Inpainting((1, 48, 48), mask=m) for m in (mask, 1 - mask)))
    with DistributedContext() as ctx:
        D = distribute(masks, ctx)
        assert torch.allclose(D.A_dagger(D.A(x)), x / 2)
        assert D.compute_sqnorm(x, verbose=False).item() == pytest.approx(2.0, rel=1e-3)
        with pytest.warns(UserWarning, match="are ignored"):
            distribute(masks, ctx, gather_stratgy="naive")
        D.A(x, mesk=mask)  # in silence


KILLED = """
import os, signal, torch
from deepinv.distributed import DistributedContext, distribute
from deepinv.physics import Blur, stack

with DistributedContext(device_mode="cpu") as ctx:
    D = distribute(stack(*[Blur(torch.ones(1, 1, 3, 3), padding="circular")] * 2), ctx)
    D.A(torch.ones(1, 1, 8, 8))
    if ctx.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    for _ in range(3):
        D.A_adjoint_A(torch.ones(1, 1, 8, 8))
    print("went on")
"""


@needs_deepinv
@pytest.mark.slow
def test_a_killed_process_of_deepinv_ends_the_job(tmp_path):
    (tmp_path / "script.py").write_text(KILLED)
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc_per_node=2",
        "script.py",
    ]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ, capture_output=True, text=True, timeout=300)
    assert done.returncode != 0
    assert "went on" not in done.stdout
