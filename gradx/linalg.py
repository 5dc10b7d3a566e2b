"""The part of the standard's ``linalg`` extension that gradx has so far: products and diagonals."""

from gradx.ops.linalg import diagonal as diagonal
from gradx.ops.linalg import matmul as matmul
from gradx.ops.linalg import outer as outer
from gradx.ops.linalg import tensordot as tensordot
from gradx.ops.linalg import trace as trace
from gradx.ops.linalg import vecdot as vecdot
from gradx.ops.shapes import matrix_transpose as matrix_transpose
