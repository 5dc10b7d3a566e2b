"""Groups of equations as one loop of machine code, for NumPy's arrays (extra ``gradx[llvm]``)."""
