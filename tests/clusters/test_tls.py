"""An encrypted cluster of processes, by the certificates that the example makes."""

import stat

import pytest
from cluster_scripts import EXAMPLES, certificates, check_worked
from distributed import Client, Security
from processes import cluster, run


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory):
    """Certificates of the example's making, and a cluster that is told of them as the example says."""
    pytest.importorskip("cryptography")
    folder = tmp_path_factory.mktemp("encrypted")
    made = certificates(folder / "certificates", folder)
    security = Security(tls_ca_file=str(made / "ca.pem"), tls_client_cert=str(made / "client.pem"))
    with cluster(folder, env={"DASK_CONFIG": str(made / "tls.yaml")}) as (file, address, _):
        with Client(address, security=security, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=120)
        yield made, file, address


def test_private_keys_are_private_and_no_folder_is_written_twice(tmp_path):
    pytest.importorskip("cryptography")
    made = certificates(tmp_path / "made", tmp_path)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in made.iterdir()}
    assert {modes.pop(f"{role}.pem") for role in ("scheduler", "worker", "client")} == {0o600}
    assert sorted(modes) == ["ca.pem", "tls.yaml"]
    assert "PRIVATE KEY" not in (made / "ca.pem").read_text()
    before = {path.name: path.read_bytes() for path in made.iterdir()}
    done = run(EXAMPLES / "tls_certificates.py", str(made), cwd=tmp_path)
    assert done.returncode == 1
    assert "is there already: name a new folder" in done.stderr
    assert {path.name: path.read_bytes() for path in made.iterdir()} == before


@pytest.mark.slow
def test_tls(encrypted, tmp_path):
    made, file, address = encrypted
    assert address.startswith("tls://127.0.0.1:")
    done = run(EXAMPLES / "tls.py", "--certificates", str(made), "--scheduler-file", str(file), cwd=tmp_path)
    assert sorted(check_worked(done)) == ["first", "second"]
    assert f"2 workers on cpu by {address}" in done.stdout


@pytest.mark.slow
def test_dasks_configuration_is_enough(encrypted, tmp_path):
    """Other scripts and the command line, by a file of settings or by the environment alone."""
    made, file, address = encrypted
    env = {"DASK_CONFIG": str(made / "tls.yaml")}
    before = (made / "tls.yaml").read_bytes()
    scheduler = ("--scheduler-file", str(file), "--img-size", "96")
    done = run(EXAMPLES / "scheduler_file.py", *scheduler, cwd=tmp_path, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("equal to plain") == 3
    assert (made / "tls.yaml").read_bytes() == before

    tls = "DASK_DISTRIBUTED__COMM__TLS__"
    env = {f"{tls}CA_FILE": str(made / "ca.pem"), f"{tls}CLIENT__CERT": str(made / "client.pem")}
    done = run("-m", "daskphys", "info", "--json", "--scheduler", address, cwd=tmp_path, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert address in done.stdout


@pytest.mark.slow
def test_without_a_certificate_nobody_gets_in(encrypted, tmp_path):
    _, file, _ = encrypted
    foreign = certificates(tmp_path / "foreign", tmp_path)
    pretends = {"DASK_CONFIG": str(foreign / "tls.yaml")}
    scheduler = ("--scheduler-file", str(file))

    none = run(EXAMPLES / "scheduler_file.py", *scheduler, cwd=tmp_path)
    assert none.returncode == 1
    assert "SchedulerUnreachableError: tls://" in none.stderr
    assert "speaks TLS, and this process has no certificate to show it" in none.stderr
    other = run(EXAMPLES / "scheduler_file.py", *scheduler, cwd=tmp_path, env=pretends)
    assert other.returncode == 1
    assert "signed by the authority of one distributed.comm.tls.ca-file" in other.stderr
    own = run(EXAMPLES / "tls.py", "--certificates", str(foreign), *scheduler, cwd=tmp_path)
    assert own.returncode == 1
    assert "certificate" in own.stderr

    # The command line says it in one line, and before it computes anything.
    for env, reason in (({}, "has no certificate"), (pretends, "TLS handshake failed")):
        done = run("-m", "daskphys", "demo", *scheduler, cwd=tmp_path, env=env)
        assert (done.returncode, done.stdout) == (1, "")
        (line,) = done.stderr.splitlines()
        assert reason in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["foreign"]
