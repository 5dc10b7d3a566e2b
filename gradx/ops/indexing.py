"""Reading and writing by any key: also integer and boolean arrays, and lists of them.

A key with arrays is brought down to what every array library can do: a basic read,
the indexed axes moved together and merged into one, and ``take`` along it. So a
tracked index array is an input like any other, and keys mean the same on every
library: what NumPy says they mean.
"""

from math import prod
from typing import Any, NamedTuple

from gradx.backends import backend_of
from gradx.core.arrays import is_array, is_kind
from gradx.core.call import Tensor
from gradx.core.op import composed, constant
from gradx.core.samples import Sample
from gradx.device import asarray
from gradx.errors import OutOfBoundsError
from gradx.ops import slicing
from gradx.ops.along import _indices, add_at, put_at, take, wrapped
from gradx.ops.creation import place_of
from gradx.ops.elementwise import where
from gradx.ops.searching import nonzero_places
from gradx.ops.shapes import astype, broadcast_shape, broadcast_to, permute_dims, reshape
from gradx.ops.slicing import BASIC, is_basic, read_shape

SCALARS = {bool, int, float, complex}
