"""The stations of the Karl G. Jansky Very Large Array in its D configuration, the most compact one.

Geocentric positions (ITRF) of the 27 stations in metres, as NRAO publishes them with CASA for its simulator (file
``vla.d.cfg``).  They agree to 0.1 m with the antennas' own positions in measurement sets of 2010 and later.
"""

from __future__ import annotations

import numpy as np

#: The site's latitude and longitude, in radians (geodetic, of the array's centre).
VLA_LATITUDE, VLA_LONGITUDE = np.radians(34.078749), np.radians(-107.617728)

_STATIONS = """
W01 -1601188.989351 -5042000.518599 3554843.384480
W02 -1601225.230987 -5041980.390730 3554855.657987
W03 -1601265.110332 -5041982.563379 3554834.816409
W04 -1601315.874282 -5041985.324465 3554808.263784
W05 -1601376.950042 -5041988.682890 3554776.344871
W06 -1601447.176774 -5041992.529191 3554739.647266
W07 -1601526.335275 -5041996.876364 3554698.284889
W08 -1601614.061201 -5042001.676547 3554652.455603
W09 -1601709.987416 -5042006.942534 3554602.306306
E01 -1601192.424192 -5042022.883542 3554810.383317
E02 -1601150.027460 -5042000.630731 3554860.703495
E03 -1601114.318178 -5042023.187696 3554844.922416
E04 -1601068.771188 -5042051.929370 3554824.767363
E05 -1601014.405657 -5042086.261585 3554800.768970
E06 -1600951.545716 -5042125.927280 3554772.987195
E07 -1600880.545264 -5042170.376845 3554741.425036
E08 -1600801.880602 -5042219.386677 3554706.382285
E09 -1600715.918854 -5042273.142150 3554668.128757
N01 -1601185.553970 -5041978.191573 3554876.382645
N02 -1601180.820941 -5041947.459898 3554921.573373
N03 -1601177.368455 -5041925.069104 3554954.532566
N04 -1601173.903632 -5041902.679083 3554987.485762
N05 -1601168.735762 -5041869.062707 3555036.885577
N06 -1601162.553007 -5041829.021602 3555095.854771
N07 -1601155.593706 -5041783.860938 3555162.327771
N08 -1601147.885235 -5041733.855114 3555235.914849
N09 -1601139.483292 -5041679.021042 3555316.478099
"""


def vla_positions() -> np.ndarray:
    """ITRF positions of the VLA's stations in the D configuration, in metres.

    They go through `itrf_to_equatorial` to `uv_coverage`.

    Returns
    -------
    array, shape (27, 3)
        Geocentric (x, y, z).

    Examples
    --------
    >>> import numpy as np
    >>> from daskphys.physics.radio import itrf_to_equatorial, uv_coverage, vla_positions
    >>> uvw = uv_coverage(itrf_to_equatorial(vla_positions()), np.radians([-15.0, 0.0, 15.0]), declination=0.7)
    >>> len(uvw) == 3 * 27 * 26 // 2, bool(np.hypot(*uvw[:, :2].T).max() < 1040)  # the longest baseline: 1.03 km
    (True, True)
    """
    return np.array([line.split()[1:] for line in _STATIONS.strip().splitlines()], float)
