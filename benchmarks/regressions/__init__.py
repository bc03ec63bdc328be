"""What asv tracks from commit to commit (asv.conf.json): times, peaks of memory, and counts, which have no noise.

asv loads this package alone, with the commit's daskphys installed.  The builders that all benchmarks share lie in
the package above, which is looked for last, so that the checkout does not take the place of what is installed.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))
