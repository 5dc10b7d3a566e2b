"""How far each elementary function may be from the truth.

In units in the last place of the true result, for every argument; tests hold them, and the
documentation's table is this one. 0.5 is a correctly rounded result.
"""

# Function -> (float32, float64).
STATED: dict[str, tuple[float, float]] = {
    "exp": (1.25, 1.25),
    "expm1": (2.0, 2.0),
    "log": (1.0, 1.0),
    "log1p": (1.0, 1.0),
    "log2": (1.0, 1.0),
    "log10": (1.0, 1.0),
    "sqrt": (0.5, 0.5),
    "sin": (1.0, 1.0),
    "cos": (1.0, 1.0),
    "tan": (2.5, 2.5),
    "tanh": (3.0, 3.0),
    "sech_squared": (4.5, 4.5),
    "sigmoid": (2.5, 2.5),
    "sigmoid_slope": (4.0, 4.0),
    "softplus": (2.0, 2.0),
    "erf": (1.5, 1.5),
    "erfc": (4.5, 4.5),
    "pow": (1.0, 1.0),  # float64: the C library's
}
