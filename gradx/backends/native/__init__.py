"""Code for the processor, made while a program runs: LLVM for vectors, written as Python expressions."""
