"""Certificates for an encrypted cluster: one authority that is used once, and what Dask needs to know of it.

    pip install cryptography
    python tls_certificates.py certificates

writes into the folder `certificates`

    ca.pem                                  what all sides trust
    scheduler.pem, worker.pem, client.pem   a private key and its certificate each, for your eyes only
    tls.yaml                                Dask's configuration, which names them and forbids what is not encrypted

Whoever holds a certificate can run anything on the cluster.  The authority's own key is kept nowhere, so that
nobody can sign another; for new ones, take a new folder.
"""

import argparse
import datetime
import json
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ROLES = ("scheduler", "worker", "client")


def named(name):
    """A subject."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"dask {name}")])


def usage(authority):
    """What a key may do: the authority's sign certificates, the others' prove who they are."""
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def certificate(subject, key, issuer, issuer_key, days):
    """The certificate of a key, signed by another one, or by itself."""
    now = datetime.datetime.now(datetime.UTC)
    authority = key is issuer_key
    constraints = x509.BasicConstraints(ca=authority, path_length=0 if authority else None)
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))  # clocks of two machines may differ
        .not_valid_after(now + datetime.timedelta(days=days))
    )
    for extension, critical in (
        (constraints, True),
        (usage(authority), True),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False),
    ):
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA256())


def write_private(path, content):
    """A new file that nobody else can read, from its first byte on."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def quoted(path):
    """A path in YAML, whatever signs are in it."""
    return json.dumps(str(path))


def settings(folder):
    """Dask's configuration: every role with its own certificate, and no other connection allowed."""
    lines = [
        "distributed:",
        "  comm:",
        "    require-encryption: true",
        "    tls:",
        f"      ca-file: {quoted(folder / 'ca.pem')}",
    ]
    for role in ROLES:
        lines += [f"      {role}:", f"        cert: {quoted(folder / f'{role}.pem')}"]
    return "\n".join(lines) + "\n"


def main():
    """Make them all."""
    parser = argparse.ArgumentParser(description="Certificates for an encrypted Dask cluster.")
    parser.add_argument("folder", type=Path, help="a new folder to write them into")
    parser.add_argument("--days", type=int, default=365, help="how long they are valid")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    try:
        folder.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        raise SystemExit(f"{folder} is there already: name a new folder, or remove that one") from None

    authority = ec.generate_private_key(ec.SECP256R1())
    root = certificate("authority", authority, "authority", authority, arguments.days)
    (folder / "ca.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))
    for role in ROLES:
        key = ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        signed = certificate(role, key, "authority", authority, arguments.days)
        write_private(folder / f"{role}.pem", private + signed.public_bytes(serialization.Encoding.PEM))
    (folder / "tls.yaml").write_text(settings(folder), "utf-8")
    print(f"wrote {', '.join(sorted(path.name for path in folder.iterdir()))} into {folder}")


if __name__ == "__main__":
    main()
