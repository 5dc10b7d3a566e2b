"""gradx: gradients, compilation and training for any array API code, on NumPy or CuPy."""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from gradx import before_numpy as before_numpy  # before what imports NumPy
from gradx import fft as fft
from gradx import linalg as linalg
from gradx import operators as operators  # gives Tensor its operators and methods
from gradx.backends import default_device as default_device
from gradx.backends import devices as devices
from gradx.backends.cuda_memory import limit_memory as limit_memory
from gradx.backends.cuda_memory import memory as memory
from gradx.backends.report import info as info
from gradx.backends.settings import current_matmul_precision as current_matmul_precision
from gradx.backends.settings import deterministic as deterministic
from gradx.backends.settings import is_deterministic as is_deterministic
from gradx.backends.settings import matmul_precision as matmul_precision
from gradx.core.call import Tensor as Tensor
from gradx.creation import arange as arange
from gradx.creation import asarray as asarray
from gradx.creation import empty as empty
from gradx.creation import eye as eye
from gradx.creation import from_dlpack as from_dlpack
from gradx.creation import full as full
from gradx.creation import full_like as full_like
from gradx.creation import linspace as linspace
from gradx.creation import ones as ones
from gradx.creation import zeros as zeros
from gradx.device import to_device as to_device
from gradx.dtypes import bool as bool
from gradx.dtypes import can_cast as can_cast
from gradx.dtypes import complex64 as complex64
from gradx.dtypes import complex128 as complex128
from gradx.dtypes import e as e
from gradx.dtypes import finfo as finfo
from gradx.dtypes import float32 as float32
from gradx.dtypes import float64 as float64
from gradx.dtypes import iinfo as iinfo
from gradx.dtypes import inf as inf
from gradx.dtypes import int8 as int8
from gradx.dtypes import int16 as int16
from gradx.dtypes import int32 as int32
from gradx.dtypes import int64 as int64
from gradx.dtypes import isdtype as isdtype
from gradx.dtypes import nan as nan
from gradx.dtypes import newaxis as newaxis
from gradx.dtypes import pi as pi
from gradx.dtypes import result_type as result_type
from gradx.dtypes import uint8 as uint8
from gradx.dtypes import uint16 as uint16
from gradx.dtypes import uint32 as uint32
from gradx.dtypes import uint64 as uint64
from gradx.errors import CaptureError as CaptureError
from gradx.errors import CheckpointError as CheckpointError
from gradx.errors import DeviceError as DeviceError
from gradx.errors import GradxError as GradxError
from gradx.errors import MissingPackageError as MissingPackageError
from gradx.errors import OutOfMemoryError as OutOfMemoryError
from gradx.graph.capture import capture as capture
from gradx.graph.compile import compile as compile
from gradx.graph.ir import Graph as Graph
from gradx.inspection import __array_api_version__ as __array_api_version__
from gradx.inspection import __array_namespace_info__ as __array_namespace_info__
from gradx.ops.along import take as take
from gradx.ops.along import take_along_axis as take_along_axis
from gradx.ops.convolution import conv as conv
from gradx.ops.convolution import conv_transpose as conv_transpose
from gradx.ops.creation import empty_like as empty_like
from gradx.ops.creation import ones_like as ones_like
from gradx.ops.creation import stop_gradient as stop_gradient
from gradx.ops.creation import zeros_like as zeros_like
from gradx.ops.differences import diff as diff
from gradx.ops.einsum import einsum as einsum
from gradx.ops.elementwise import abs as abs
from gradx.ops.elementwise import acos as acos
from gradx.ops.elementwise import acosh as acosh
from gradx.ops.elementwise import add as add
from gradx.ops.elementwise import asin as asin
from gradx.ops.elementwise import asinh as asinh
from gradx.ops.elementwise import atan as atan
from gradx.ops.elementwise import atan2 as atan2
from gradx.ops.elementwise import atanh as atanh
from gradx.ops.elementwise import bitwise_and as bitwise_and
from gradx.ops.elementwise import bitwise_invert as bitwise_invert
from gradx.ops.elementwise import bitwise_left_shift as bitwise_left_shift
from gradx.ops.elementwise import bitwise_or as bitwise_or
from gradx.ops.elementwise import bitwise_right_shift as bitwise_right_shift
from gradx.ops.elementwise import bitwise_xor as bitwise_xor
from gradx.ops.elementwise import ceil as ceil
from gradx.ops.elementwise import clip as clip
from gradx.ops.elementwise import conj as conj
from gradx.ops.elementwise import copysign as copysign
from gradx.ops.elementwise import cos as cos
from gradx.ops.elementwise import cosh as cosh
from gradx.ops.elementwise import divide as divide
from gradx.ops.elementwise import equal as equal
from gradx.ops.elementwise import exp as exp
from gradx.ops.elementwise import expm1 as expm1
from gradx.ops.elementwise import floor as floor
from gradx.ops.elementwise import floor_divide as floor_divide
from gradx.ops.elementwise import greater as greater
from gradx.ops.elementwise import greater_equal as greater_equal
from gradx.ops.elementwise import hypot as hypot
from gradx.ops.elementwise import imag as imag
from gradx.ops.elementwise import isfinite as isfinite
from gradx.ops.elementwise import isinf as isinf
from gradx.ops.elementwise import isnan as isnan
from gradx.ops.elementwise import less as less
from gradx.ops.elementwise import less_equal as less_equal
from gradx.ops.elementwise import log as log
from gradx.ops.elementwise import log1p as log1p
from gradx.ops.elementwise import log2 as log2
from gradx.ops.elementwise import log10 as log10
from gradx.ops.elementwise import logaddexp as logaddexp
from gradx.ops.elementwise import logical_and as logical_and
from gradx.ops.elementwise import logical_not as logical_not
from gradx.ops.elementwise import logical_or as logical_or
from gradx.ops.elementwise import logical_xor as logical_xor
from gradx.ops.elementwise import maximum as maximum
from gradx.ops.elementwise import minimum as minimum
from gradx.ops.elementwise import multiply as multiply
from gradx.ops.elementwise import negative as negative
from gradx.ops.elementwise import nextafter as nextafter
from gradx.ops.elementwise import not_equal as not_equal
from gradx.ops.elementwise import positive as positive
from gradx.ops.elementwise import pow as pow
from gradx.ops.elementwise import real as real
from gradx.ops.elementwise import reciprocal as reciprocal
from gradx.ops.elementwise import remainder as remainder
from gradx.ops.elementwise import round as round
from gradx.ops.elementwise import sign as sign
from gradx.ops.elementwise import signbit as signbit
from gradx.ops.elementwise import sin as sin
from gradx.ops.elementwise import sinc as sinc
from gradx.ops.elementwise import sinh as sinh
from gradx.ops.elementwise import sqrt as sqrt
from gradx.ops.elementwise import square as square
from gradx.ops.elementwise import subtract as subtract
from gradx.ops.elementwise import tan as tan
from gradx.ops.elementwise import tanh as tanh
from gradx.ops.elementwise import trunc as trunc
from gradx.ops.elementwise import where as where
from gradx.ops.indexing import getitem as getitem
from gradx.ops.indexing import scatter_add as scatter_add
from gradx.ops.indexing import setitem as setitem
from gradx.ops.joining import concat as concat
from gradx.ops.joining import meshgrid as meshgrid
from gradx.ops.joining import split as split
from gradx.ops.joining import stack as stack
from gradx.ops.joining import unstack as unstack
from gradx.ops.linalg import matmul as matmul
from gradx.ops.linalg import tensordot as tensordot
from gradx.ops.linalg import tril as tril
from gradx.ops.linalg import triu as triu
from gradx.ops.linalg import vecdot as vecdot
from gradx.ops.linalg_products import kron as kron
from gradx.ops.moving import flip as flip
from gradx.ops.moving import pad as pad
from gradx.ops.moving import repeat as repeat
from gradx.ops.moving import roll as roll
from gradx.ops.moving import tile as tile
from gradx.ops.pooling import avg_pool as avg_pool
from gradx.ops.pooling import max_pool as max_pool
from gradx.ops.products import cumulative_prod as cumulative_prod
from gradx.ops.products import prod as prod
from gradx.ops.searching import argmax as argmax
from gradx.ops.searching import argmin as argmin
from gradx.ops.searching import count_nonzero as count_nonzero
from gradx.ops.searching import nonzero as nonzero
from gradx.ops.searching import searchsorted as searchsorted
from gradx.ops.segments import segment_max as segment_max
from gradx.ops.segments import segment_mean as segment_mean
from gradx.ops.segments import segment_min as segment_min
from gradx.ops.segments import segment_sum as segment_sum
from gradx.ops.sets import isin as isin
from gradx.ops.sets import unique_all as unique_all
from gradx.ops.sets import unique_counts as unique_counts
from gradx.ops.sets import unique_inverse as unique_inverse
from gradx.ops.sets import unique_values as unique_values
from gradx.ops.shapes import astype as astype
from gradx.ops.shapes import broadcast_arrays as broadcast_arrays
from gradx.ops.shapes import broadcast_shapes as broadcast_shapes
from gradx.ops.shapes import broadcast_to as broadcast_to
from gradx.ops.shapes import expand_dims as expand_dims
from gradx.ops.shapes import matrix_transpose as matrix_transpose
from gradx.ops.shapes import moveaxis as moveaxis
from gradx.ops.shapes import permute_dims as permute_dims
from gradx.ops.shapes import reshape as reshape
from gradx.ops.shapes import squeeze as squeeze
from gradx.ops.shapes import sum as sum
from gradx.ops.shapes import swapaxes as swapaxes
from gradx.ops.sorting import argsort as argsort
from gradx.ops.sorting import sort as sort
from gradx.ops.statistical import all as all
from gradx.ops.statistical import any as any
from gradx.ops.statistical import cumulative_sum as cumulative_sum
from gradx.ops.statistical import logsumexp as logsumexp
from gradx.ops.statistical import max as max
from gradx.ops.statistical import mean as mean
from gradx.ops.statistical import min as min
from gradx.ops.statistical import std as std
from gradx.ops.statistical import var as var
from gradx.transforms.batching import vmap as vmap
from gradx.transforms.checkpoint import checkpoint as checkpoint
from gradx.transforms.custom import custom_rule as custom_rule
from gradx.transforms.debugging import debug as debug
from gradx.transforms.explore import tensor as tensor
from gradx.transforms.forward import jvp as jvp
from gradx.transforms.grad import grad as grad
from gradx.transforms.grad import value_and_grad as value_and_grad
from gradx.transforms.grad import vjp as vjp
from gradx.transforms.jacobian import hessian as hessian
from gradx.transforms.jacobian import hvp as hvp
from gradx.transforms.jacobian import jacobian as jacobian
from gradx.transforms.linearize import linearize as linearize

__version__ = "0.1.0"

if _TYPE_CHECKING:
    from gradx import data as data
    from gradx import distributed as distributed
    from gradx import nn as nn
    from gradx import onnx as onnx
    from gradx import optim as optim
    from gradx import random as random
    from gradx import saving as saving
    from gradx import sklearn as sklearn
    from gradx import special as special
    from gradx import testing as testing
    from gradx import train as train
    from gradx.graph.draw import draw as draw
    from gradx.graph.profile import profile as profile
    from gradx.saving import load as load
    from gradx.saving import save as save

# Imported when first asked for: programs that only take gradients start sooner.
_MODULES = (
    "data",
    "distributed",
    "nn",
    "onnx",
    "optim",
    "random",
    "saving",
    "sklearn",
    "special",
    "testing",
    "train",
)
_FUNCTIONS = {
    "draw": "gradx.graph.draw",
    "load": "gradx.saving",
    "profile": "gradx.graph.profile",
    "save": "gradx.saving",
}


def __getattr__(name: str) -> _Any:
    if name in _MODULES:
        return _import_module(f"gradx.{name}")
    if name in _FUNCTIONS:
        function = getattr(_import_module(_FUNCTIONS[name]), name)
        globals()[name] = function
        return function
    raise AttributeError(f"module 'gradx' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES, *_FUNCTIONS})
