"""Graphs of recorded ops: reading, laying out and drawing them."""
