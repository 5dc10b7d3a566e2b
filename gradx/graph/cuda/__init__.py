"""Graphs on CUDA: a group of equations as one generated kernel, a program as one CUDA graph."""
