"""Convolution and pooling: ONNX is told the padding at the end, gradx the number of outputs."""

from math import prod

import numpy as np

from gradx.onnx.nodes import Call, ExportError, Writer


def _pads(call: Call, kernel: tuple[int, ...], dilation: tuple[int, ...]) -> list[int]:
    """Return what is padded before and after each axis."""
    before, stride, outputs = (call.param(name) for name in ("before", "stride", "outputs"))
    lengths = call.input_shape()[-len(kernel) :]
    after = []
    for size, step, apart, pad, count, length in zip(
        kernel, stride, dilation, before, outputs, lengths, strict=True
    ):
        reach = (size - 1) * apart + 1
        missing = (count - 1) * step + reach - length - pad
        if missing <= -step:
            raise ExportError(f"{call.equation.op.name}: {-missing} elements that no window reads")
        after.append(max(missing, 0))
    return [*before, *after]


def _convolution(call: Call) -> str:
    kernel, dilation = call.input_shape(1)[2:], call.param("dilation")
    return call.add(
        "Conv",
        *call.aligned(call.dtype),
        pads=_pads(call, kernel, dilation),
        strides=list(call.param("stride")),
        dilations=list(dilation),
        group=call.param("groups"),
    )


def _transposed(call: Call) -> str:
    before, stride, dilation, lengths = (
        call.param(name) for name in ("before", "stride", "dilation", "lengths")
    )
    kernel, shape = call.input_shape(1)[2:], call.input_shape()[2:]
    surplus = [
        (count - 1) * step + (size - 1) * apart + 1 - pad - length
        for count, step, size, apart, pad, length in zip(
            shape, stride, kernel, dilation, before, lengths, strict=True
        )
    ]
    return call.add(
        "ConvTranspose",
        *call.aligned(call.dtype),
        pads=[*before, *[max(n, 0) for n in surplus]],
        output_padding=[max(-n, 0) for n in surplus],
        strides=list(stride),
        dilations=list(dilation),
        group=call.param("groups"),
    )


def _maximum(call: Call) -> str:
    kernel, dilation = call.param("kernel"), call.param("dilation")
    return call.add(
        "MaxPool",
        kernel_shape=kernel,
        pads=_pads(call, kernel, dilation),
        strides=list(call.param("stride")),
        dilations=list(dilation),
    )


def _sum(call: Call) -> str:
    kernel = call.param("kernel")
    mean = call.add(
        "AveragePool",
        kernel_shape=kernel,
        pads=_pads(call, kernel, (1,) * len(kernel)),
        strides=list(call.param("stride")),
        count_include_pad=1,
    )
    return call.add("Mul", mean, call.nodes.constant(prod(kernel), np.dtype(call.dtype)))


WINDOWS: dict[str, Writer] = {
    "convolution": _convolution,
    "convolution_transpose": _transposed,
    "maximum_of_windows": _maximum,
    "sum_of_windows": _sum,
}
