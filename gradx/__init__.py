"""gradx: gradients, compilation and training for any array API code, on NumPy or CuPy."""

from gradx import tensor as _tensor  # gives Tensor its operators
from gradx.core.call import Tensor as Tensor
from gradx.errors import DeviceError as DeviceError, GradxError as GradxError
from gradx.ops.elementwise import (
    add as add, sin as sin, cos as cos, exp as exp, log as log, multiply as multiply, tanh as tanh, where as where, subtract as subtract, divide as divide)
from gradx.ops.indexing import getitem as getitem, setitem as setitem
from gradx.ops.joining import concat as concat, stack as stack
from gradx.ops.linalg import matmul as matmul
from gradx.ops.shapes import sum as sum, reshape as reshape, broadcast_to as broadcast_to
from gradx.transforms.explore import tensor as tensor
from gradx.transforms.forward import jvp as jvp
from gradx.transforms.grad import grad as grad, value_and_grad as value_and_grad, vjp as vjp
from gradx.transforms.jacobian import hessian as hessian, hvp as hvp, jacobian as jacobian
from gradx.transforms.linearize import linearize as linearize
