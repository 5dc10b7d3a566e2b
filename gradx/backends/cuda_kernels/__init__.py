"""Kernels in CUDA C, one module for each op, and what calls them on CuPy's arrays.

A module holds a source with its types left open, and functions that fill them in, choose a
grid and launch. Nothing here needs CuPy or a GPU to be imported, so a machine that has neither
compiles every source with NVRTC and runs it, thread by thread, on the CPU (docs/cuda.md).
"""
