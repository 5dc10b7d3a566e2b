"""Export of what a function computes as an ONNX model, for runtimes without Python.

export.py        ``export``: capture, write, check
rows.py          two captures, with different numbers of rows, that tell which sizes are rows
nodes.py         nodes and constants of an ONNX graph under construction
elementwise.py   ops that have a counterpart of their own
structure.py     ops that move, join and reduce
windows.py       convolution and pooling
"""

from gradx.onnx.export import ExportError as ExportError
from gradx.onnx.export import export as export
