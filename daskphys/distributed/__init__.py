"""Operators on a cluster: the one room that joins physics and graphs."""

from daskphys.distributed.context import DistributedContext
from daskphys.distributed.distribute import distribute
from daskphys.distributed.physics import DistributedPhysics

__all__ = ["DistributedContext", "DistributedPhysics", "distribute"]
