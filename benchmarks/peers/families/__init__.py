"""Peers of families of operators; a file a family with `PEERS`, run by the peers' own interpreter."""
