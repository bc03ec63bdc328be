"""``python -m daskphys``."""

import sys

from daskphys.cli import main

# Worker processes import this file again, and must not run the command a second time.
if __name__ == "__main__":
    sys.exit(main())
