"""Data for training: batches, splits, and data sets that need no download.

    rows.py       a tree of arrays of one length, read row by row
    samplers.py   which rows each step of an epoch takes
    batches.py    the two together: ``batches`` and ``split``
    prefetching.py   batches on a device, one ahead
    datasets/     real data from packages on this machine

Everything random comes from a key, so the same key gives the same batches on
every backend and device.
"""

from gradx.data import datasets as datasets
from gradx.data.batches import Batches as Batches
from gradx.data.batches import batches as batches
from gradx.data.batches import split as split
from gradx.data.prefetching import prefetch as prefetch
