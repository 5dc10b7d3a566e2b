"""Machine code made while a program runs: LLVM for vectors, written as Python expressions."""
