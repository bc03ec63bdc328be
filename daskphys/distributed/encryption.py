"""TLS: what Dask's configuration has for it before a client is made, and what went wrong after."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

from distributed.comm.addressing import parse_address
from distributed.security import Security

from daskphys.errors import MissingDependencyError, SchedulerUnreachableError

_ENCRYPTED = ("tls", "wss")

_MEND = (
    "set distributed.comm.tls.ca-file, .client.cert and .client.key in Dask's configuration, or make the client "
    "yourself: DistributedContext(client=Client(address, security=Security(tls_ca_file=…, tls_client_cert=…, "
    "tls_client_key=…)))"
)


def check(address: str) -> None:
    """Refuse an address that this process's TLS settings cannot reach.

    Dask would make a client all the same, which fails with a message about an ``ssl_context``, or not at all.

    Raises
    ------
    SchedulerUnreachableError
        It is encrypted and there is no certificate, one cannot be read, or it is not encrypted and must be.
    """
    protocol = parse_address(address)[0]
    if protocol == "inproc":
        return  # threads of this process: there is no wire
    security = Security()
    files = security.get_tls_config_for_role("client")
    try:
        context = security.get_connection_args("client")["ssl_context"]
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        named = ", ".join(f"{k} {_place(v)}" for k, v in files.items() if v and k != "ciphers")
        raise SchedulerUnreachableError(
            f"the TLS files of Dask's distributed.comm.tls cannot be used ({named}): {error}"
        ) from error
    encrypted = protocol in _ENCRYPTED
    if encrypted and context is None:
        raise SchedulerUnreachableError(
            f"{address} speaks TLS, and this process has no certificate to show it: {_MEND}"
        )
    if security.require_encryption and not encrypted:
        raise SchedulerUnreachableError(
            f"{address} is not encrypted, and Dask's distributed.comm.require-encryption asks for it: give the "
            f"address of a scheduler that speaks TLS, tls://HOST:PORT, or set that to false"
        )


def explain(address: str, error: BaseException) -> str:
    """What TLS may have to do with a client that did not come to be; empty where nothing."""
    chain = list(_chain(error))
    refused = next((e for e in chain if isinstance(e, ssl.SSLError)), None)
    # Which of the two it is depends on whether the scheduler's greeting comes before the handshake has begun.
    greeted = any(isinstance(e, ValueError) and "convert to SSL" in str(e) for e in chain)
    if greeted or (refused is not None and refused.reason == "WRONG_VERSION_NUMBER"):
        return "it does not speak TLS: its address begins with tcp://, or start it with certificates"
    if refused is not None:
        return (
            f"the TLS handshake failed ({refused.reason or refused}): its certificate and this process's must be signed "
            f"by the authority of one distributed.comm.tls.ca-file"
        )
    if any(isinstance(e, ConnectionRefusedError | TimeoutError) for e in chain):
        return ""  # nobody is there
    if parse_address(address)[0] in _ENCRYPTED:
        return (
            "one that does not speak TLS, or does not know this process's certificate, ends the connection so"
        )
    if any(isinstance(e, ConnectionResetError) for e in chain):
        return f"a scheduler that speaks TLS ends the connection so, and its address is tls://…; then {_MEND}"
    return ""


def of_processes() -> Security | None:
    """What worker processes on this machine encrypt with: only where Dask's settings ask for it.

    Certificates of the settings, or made for this one cluster where those lack a scheduler's, a worker's or a client's.

    Raises
    ------
    MissingDependencyError
        They are to be made, and ``cryptography`` is not installed.
    """
    security = Security()
    if not security.require_encryption:
        return None
    certificates = (security.tls_scheduler_cert, security.tls_worker_cert, security.tls_client_cert)
    if security.tls_ca_file and all(certificates):
        return security
    try:
        return Security.temporary()
    except ImportError as error:
        raise MissingDependencyError(
            "Dask's distributed.comm.require-encryption is set, without certificates for a scheduler, workers and a client; to "
            "make some for worker processes on this machine needs cryptography: pip install cryptography"
        ) from error


def _place(value: str) -> str:
    return "in memory" if "\n" in value else value


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
