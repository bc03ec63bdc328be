"""The command line: ``daskphys COMMAND``, or ``python -m daskphys COMMAND``."""

from daskphys.cli.main import main as main
