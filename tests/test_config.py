"""Defaults in Dask's configuration: where they may stand, which of them wins, and what is no default of ours."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import dask
import pytest

import daskphys
from daskphys import config
from daskphys.errors import ParameterError

FILE = Path(daskphys.__file__).with_name("daskphys.yaml")
ROOT = FILE.parent.parent

#: A value of each key that is not the package's.
OTHER = {
    "context.address": "tcp://127.0.0.1:1",
    "context.scheduler-file": "scheduler.json",
    "context.n-workers": 3,
    "context.processes": True,
    "context.device": "cpu",
    "context.progress": True,
    "distribute.chunks": 5,
    "distribute.replicas": 2,
}


def test_the_file_has_each_key_and_values_that_fit():
    assert list(config.DEFAULTS) == list(config.KEYS) == list(OTHER)
    assert all(value is None or config.KEYS[key].fits(value) for key, value in config.DEFAULTS.items())
    assert config.configured() == config.DEFAULTS
    assert config.changed() == {}


def test_the_file_is_in_the_package():
    data = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["package-data"]
    assert FILE.name in data["daskphys"]


@pytest.mark.parametrize("key", OTHER)
def test_dask_config_set_changes_a_default_for_a_while(key):
    with dask.config.set({f"daskphys.{key}": OTHER[key]}):
        assert config.default(key, None) == OTHER[key]
        assert config.default(key, "given") == "given"
        assert config.changed() == {key: (OTHER[key], "dask.config.set")}
    assert config.configured() == config.DEFAULTS


@pytest.mark.parametrize("key", OTHER)
def test_null_is_the_packages_own_default(key):
    with dask.config.set({f"daskphys.{key}": None}):
        assert config.configured() == config.DEFAULTS


@pytest.mark.parametrize("empty", [None, {}])
def test_a_section_without_keys_is_none(empty):
    with dask.config.set({"daskphys.context": empty}):
        assert config.configured() == config.DEFAULTS
    with dask.config.set({"daskphys": empty}):
        assert config.configured() == config.DEFAULTS


def test_underscores_are_hyphens_as_in_dask():
    with dask.config.set({"daskphys": {"context": {"n_workers": 3}}}):
        assert config.default("context.n-workers", None) == 3


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"daskphys.context.n-worker": 3}, "did you mean 'context.n-workers'?"),
        ({"daskphys.contxt": {"n-workers": 3}}, "which daskphys does not know: did you mean 'context'?"),
        ({"daskphys.replicas": 2}, "did you mean 'distribute.replicas'?"),
        ({"daskphys.context.n-workers": 0}, "daskphys.context.n-workers .* expected a positive integer, got 0"),
        ({"daskphys.context.n-workers": True}, "a positive integer, got True"),
        ({"daskphys.context.n-workers": "four"}, "a positive integer, got 'four', from dask.config.set: mend it"),
        ({"daskphys.context.processes": 1}, "true or false, got 1"),
        ({"daskphys.context.device": "gpu"}, "'auto', 'cpu' or 'cuda', got 'gpu'"),
        ({"daskphys.context.device": ["cpu"]}, "'auto', 'cpu' or 'cuda', got list"),
        ({"daskphys.context.address": ""}, "expected text, got ''"),
        ({"daskphys.distribute.chunks": "all"}, "'auto' or a positive integer, got 'all'"),
        ({"daskphys.distribute.replicas": 1.5}, "a positive integer, got 1.5"),
        ({"daskphys.context": 3}, "daskphys.context in .* keys below it .*context.n-workers.*got 3"),
        ({"daskphys": "cpu"}, "daskphys in .* keys below it .context, distribute., got 'cpu'"),
    ],
)  # fmt: skip
def test_what_is_no_default_is_an_error_that_says_where_it_is(settings, expected):
    with dask.config.set(settings), pytest.raises(ParameterError, match=expected):
        config.configured()


def changed(tmp_path, text, **environment):
    """What a new process finds changed, with a file of a user and an environment; or how it ends."""
    (tmp_path / "mine.yaml").write_text(text, "utf-8")
    code = "import json; from daskphys import config; print(json.dumps(config.changed()))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "DASK_CONFIG": str(tmp_path), **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return json.loads(done.stdout) if done.returncode == 0 else done.stderr


def test_a_file_and_the_environment_which_wins(tmp_path):
    text = "daskphys:\n  context:\n    n-workers: 3\n    device: cpu\n  distribute:\n"
    found = changed(tmp_path, text, DASK_DASKPHYS__CONTEXT__N_WORKERS="2")
    assert found == {
        "context.n-workers": [2, "the environment's DASK_DASKPHYS__CONTEXT__N_WORKERS"],
        "context.device": ["cpu", str(tmp_path / "mine.yaml")],
    }


def test_an_error_names_the_file_or_the_variable(tmp_path):
    said = changed(tmp_path, "daskphys:\n  context:\n    devise: cpu\n")
    assert f"daskphys.context.devise, from {tmp_path / 'mine.yaml'}, which daskphys does not know" in said
    assert "did you mean 'context.device'?" in said
    said = changed(tmp_path, "", DASK_DASKPHYS__DISTRIBUTE__REPLICAS="two")
    assert "got 'two', from the environment's DASK_DASKPHYS__DISTRIBUTE__REPLICAS" in said


@pytest.mark.parametrize(
    ("text", "environment", "got"),
    [
        ("daskphys: 3\n", {}, "daskphys in"),
        ("daskphys:\n  context: 3\n", {}, "daskphys.context in"),
        ("", {"DASK_DASKPHYS__CONTEXT": "3"}, "daskphys.context in"),
    ],
)
def test_a_value_where_a_section_should_be(tmp_path, text, environment, got):
    """Dask puts our defaults over it, so it must be seen before that."""
    said = changed(tmp_path, text, **environment)
    where = "the environment's DASK_DASKPHYS__CONTEXT" if environment else str(tmp_path / "mine.yaml")
    assert f"ParameterError: {got} Dask's configuration expected keys below it" in said
    assert f"got 3, from {where}: mend it there" in said


def test_nothing_is_written_to_the_folder_of_configurations(tmp_path):
    changed(tmp_path, "")
    assert [file.name for file in tmp_path.iterdir()] == ["mine.yaml"]
