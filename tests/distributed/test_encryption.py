"""Clusters that speak TLS: who is let in, and what the others are told."""

import gc
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
from distributed import Client, LocalCluster, Security, default_client

from daskphys.distributed import DistributedContext, distribute
from daskphys.errors import MissingDependencyError, SchedulerUnreachableError
from daskphys.optim import lsqr
from daskphys.physics import Blur, gaussian_blur, stack

pytest.importorskip("cryptography")

#: A plain scheduler may greet before the handshake has begun.  Dask then leaves the socket to its event loop, and with
#: that to the garbage collection, which the last fixture asks for.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

TLS = "distributed.comm.tls"
MINE, OTHER = Security.temporary(), Security.temporary()


def certificates(authority: Security, own: Security) -> dict[str, Any]:
    """Dask's settings of a client that trusts one authority, and has a certificate of another, or of the same."""
    return {
        f"{TLS}.ca-file": authority.tls_ca_file,
        f"{TLS}.client.cert": own.tls_client_cert,
        f"{TLS}.client.key": own.tls_client_key,
    }


@pytest.fixture(scope="module")
def encrypted() -> Iterator[LocalCluster]:
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=False,
        protocol="tls://",
        host="127.0.0.1",
        security=MINE,
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address="127.0.0.1:0",
        silence_logs=50,
    ) as cluster:
        yield cluster
    gc.collect()


@pytest.fixture(scope="module")
def open_cluster() -> Iterator[LocalCluster]:
    with LocalCluster(
        n_workers=1,
        processes=False,
        protocol="tcp://",
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address="127.0.0.1:0",
        silence_logs=50,
    ) as cluster:
        yield cluster
    gc.collect()


def refused(address: str, settings: dict[str, Any] | None = None) -> str:
    """The one line that a context is refused with, well before the time for it is over."""
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "60s", **(settings or {})}),
        pytest.raises(SchedulerUnreachableError) as caught,
    ):
        DistributedContext(address=address)
    with pytest.raises(ValueError, match="No clients found"):
        default_client()
    assert int(dask.delayed(int)(3).compute()) == 3
    return str(caught.value)


def test_everything_runs_encrypted(encrypted: LocalCluster) -> None:
    """Products, the tree between workers, and a solve, whose workers open connections of their own."""
    A = stack(*[Blur(gaussian_blur(s), padding="valid") for s in (1.0, 1.5, 2.0, 2.5)])
    x = np.random.default_rng(0).random((48, 40))
    address = encrypted.scheduler_address
    assert address.startswith("tls://")
    with dask.config.set(certificates(MINE, MINE)), DistributedContext(address=address) as ctx:
        D = distribute(A, ctx)
        assert ctx.world_size == 2
        y = D(x)
        for got, expected in zip(y, A(x), strict=True):
            np.testing.assert_array_equal(got, expected)
        np.testing.assert_array_equal(D.A_adjoint(y), A.A_adjoint(y))
        assert ctx.rates().wire > 0
        np.testing.assert_array_equal(lsqr(D, y, rtol=0.05), lsqr(A, y, rtol=0.05))
        workers = ctx.client.scheduler_info()["workers"]
        assert len(workers) == 2
        assert all(worker.startswith("tls://") for worker in workers)


def test_a_client_of_ones_own(encrypted: LocalCluster) -> None:
    with Client(encrypted.scheduler_address, security=MINE, set_as_default=False) as client:
        assert DistributedContext(client=client).world_size == 2
    with DistributedContext(cluster=encrypted) as ctx:
        assert ctx.world_size == 2


def test_a_scheduler_file_names_an_encrypted_scheduler(encrypted: LocalCluster, tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"
    file.write_text(f'{{"address": "{encrypted.scheduler_address}"}}')
    with pytest.raises(SchedulerUnreachableError, match="speaks TLS, and this process has no certificate"):
        DistributedContext(scheduler_file=file)
    with dask.config.set(certificates(MINE, MINE)), DistributedContext(scheduler_file=file) as ctx:
        assert ctx.world_size == 2


def test_no_certificate(encrypted: LocalCluster) -> None:
    message = refused(encrypted.scheduler_address)
    assert "speaks TLS, and this process has no certificate" in message
    assert "distributed.comm.tls.ca-file" in message
    assert "security=Security(" in message


@pytest.mark.parametrize(("authority", "own"), [(OTHER, OTHER), (MINE, OTHER), (OTHER, MINE)])
def test_a_certificate_of_another_authority(
    encrypted: LocalCluster, authority: Security, own: Security
) -> None:
    message = refused(encrypted.scheduler_address, certificates(authority, own))
    assert "TLS" in message
    assert "authority" in message or "certificate" in message


def test_the_address_without_tls(encrypted: LocalCluster) -> None:
    message = refused(encrypted.scheduler_address.replace("tls://", "tcp://"))
    assert "speaks TLS ends the connection so, and its address is tls://" in message


def test_tls_to_a_scheduler_that_does_not_speak_it(open_cluster: LocalCluster) -> None:
    message = refused(open_cluster.scheduler_address.replace("tcp://", "tls://"), certificates(MINE, MINE))
    assert "does not speak TLS: its address begins with tcp://" in message


def test_nobody_there_is_no_matter_of_tls() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tls://127.0.0.1:{free.getsockname()[1]}"
    settings = {"distributed.comm.timeouts.connect": "0.5s", **certificates(MINE, MINE)}
    with dask.config.set(settings), pytest.raises(SchedulerUnreachableError, match=address) as caught:
        DistributedContext(address=address)
    assert "certificate" not in str(caught.value)


def test_encryption_is_required_and_not_there(open_cluster: LocalCluster) -> None:
    message = refused(open_cluster.scheduler_address, {"distributed.comm.require-encryption": True})
    assert "is not encrypted, and Dask's distributed.comm.require-encryption" in message


def test_files_that_cannot_be_used(encrypted: LocalCluster, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for name, reason in (("none.pem", "No such file"), ("ca.pem", "certificate|PEM|crl")):
        settings = {f"{TLS}.ca-file": str(tmp_path / name), f"{TLS}.client.cert": str(tmp_path / "own.pem")}
        with (
            dask.config.set(settings),
            pytest.raises(SchedulerUnreachableError, match=f"{name}.*own.pem.*({reason})"),
        ):
            DistributedContext(address=encrypted.scheduler_address)


# -- clusters that a context starts ---------------------------------------------------------------------------


def test_threads_need_no_certificate() -> None:
    with (
        dask.config.set({"distributed.comm.require-encryption": True}),
        DistributedContext(n_workers=2) as ctx,
    ):
        assert ctx.client.scheduler.address.startswith("inproc://")
        with DistributedContext(address=ctx.client.scheduler.address) as again:
            assert again.world_size == 2


@pytest.mark.slow
@pytest.mark.parametrize("settings", ["", "without a client's", "whole"])
def test_processes_encrypt_where_dask_says_so(settings: str) -> None:
    """With the certificates that the settings name, or some for the one cluster where they name none for it."""
    given = certificates(MINE, MINE) if settings else {}
    if settings == "without a client's":
        del given[f"{TLS}.client.cert"], given[f"{TLS}.client.key"]
    for role in ("scheduler", "worker") if settings else ():
        given |= {f"{TLS}.{role}.cert": MINE.tls_client_cert, f"{TLS}.{role}.key": MINE.tls_client_key}
    with (
        dask.config.set({"distributed.comm.require-encryption": True, **given}),
        DistributedContext(n_workers=1, processes=True) as ctx,
    ):
        assert ctx.client.scheduler.address.startswith("tls://127.0.0.1:")
        assert (ctx.client.security.tls_ca_file == MINE.tls_ca_file) is (settings == "whole")
        A = stack(Blur(gaussian_blur(1.0)), Blur(gaussian_blur(2.0)))
        np.testing.assert_array_equal(distribute(A, ctx)(np.eye(32))[0], A(np.eye(32))[0])


def test_certificates_cannot_be_made_without_cryptography(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with (
        dask.config.set({"distributed.comm.require-encryption": True}),
        pytest.raises(MissingDependencyError, match="pip install cryptography"),
    ):
        DistributedContext(n_workers=1, processes=True)
