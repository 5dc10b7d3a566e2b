"""The declarations themselves: nothing half declared, nothing left out, nothing upside down."""

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gradx
import gradx as gx
from gradx.core.op import COMPOSED, OPS, elementwise, multilinear, primitive
from gradx.core.samples import single_arrays
from tests.test_ops import drawing

PACKAGE = Path(gradx.__path__[0])
# Ops that exist for the rules of others.
INTERNAL = {
    "spherical_modified_second",
    "spherical_modified_first",
    "spherical_second",
    "spherical_first",
    "lambert_branch",
    "jacobi_delta",
    "jacobi_cosine",
    "jacobi_sine",
    "jacobi_amplitude",
    "elliptic_moment",
    "elliprc_above",
    "elliprj_above",
    "carlson",
    "add_at",
    "airy_function",
    "airy_slope",
    "bessel",
    "beta_by_shapes",
    "bessel_scaled",
    "checked_labels",
    "checked_targets",
    "child_keys",
    "class_mask",
    "clip_between",
    "cofactors",
    "convolution",
    "convolution_kernel",
    "convolution_transpose",
    "cosine_integral",
    "count_singular_values",
    "direction",
    "cbrt_slope",
    "ellipem1",
    "erfc_integral",
    "exponential_over",
    "euclidean_norm",
    "exprel_moment",
    "faddeeva_imag",
    "faddeeva_real",
    "flat_places",
    "folded_key",
    "from_parts",
    "fresnel_cosine",
    "fresnel_sine",
    "gamma_by_shape",
    "getitem",  # of basic keys; the public one takes arrays too
    "half_turn",
    "hyperbolic_cosine_integral",
    "hyperbolic_sine_integral",
    "last_extremes",
    "last_writes",
    "maximum_of_windows",
    "mean_of_processes",
    "merge_indices",
    "nonzero_places",
    "normal_probability",
    "number_as_array",
    "one_minus_square",
    "positive_sylvester",
    "power_density",
    "power_integral",
    "power_norm",
    "powers_density",
    "pseudo_inverse",
    "put_at",
    "quiet_pow",
    "quotient",
    "random_numbers",
    "read_at_maxima",
    "scatter",
    "sech_squared",
    "second_airy_function",
    "second_airy_slope",
    "segment_extreme",
    "setitem",
    "sigmoid_slope",
    "sine_integral",
    "smooth_huber",
    "solve_stein",
    "spread_over_windows",
    "spread_to_maxima",
    "student_by_df",
    "sum_of_windows",
    "unitary_factor",
    "taken_as_constant",
    "truncated_inverse",
    "unique_places",
    "zeta",  # of two arguments; the public one takes one, too
}


def listed_names():
    """Return every public function of gradx and of its public namespaces."""
    names = {}
    for space in (gradx, gradx.nn, gradx.special, gradx.linalg, gradx.fft):
        names |= {id(value): name for name, value in vars(space).items()}
    return names


@pytest.mark.parametrize("op", [*OPS.values(), *COMPOSED.values()], ids=lambda op: op.name)
def test_every_op_is_public(op):
    assert op.name in INTERNAL or id(op.call) in listed_names(), (
        f"list {op.name} in gradx/__init__.py"
    )


@pytest.mark.parametrize("op", [*OPS.values(), *COMPOSED.values()], ids=lambda op: op.name)
def test_op_has_samples(op):
    assert list(op.samples(drawing(seed=0)))


def test_every_kernel_belongs_to_an_op(backend):
    assert set(backend.kernels) <= set(OPS)


def test_rule_may_only_name_what_exists():
    with pytest.raises(TypeError, match=r"names \['z'\]"):

        @elementwise(partials={"x": lambda z: z}, samples=single_arrays)
        def unknown_name(xp, x, /):
            """Fail."""


def test_samples_are_required():
    with pytest.raises(TypeError, match="samples"):
        primitive(vjp={}, jvp={})


def test_both_modes_need_rules_for_the_same_inputs():
    with pytest.raises(TypeError, match="vjp and jvp must have rules for the same inputs"):

        @primitive(vjp={"x": lambda g: g}, jvp={}, samples=single_arrays)
        def one_sided(xp, x, /):
            """Fail."""


def test_docstring_is_required():
    with pytest.raises(TypeError, match="has no docstring"):

        @multilinear(transpose={"x": lambda g: g}, samples=single_arrays)
        def undocumented(xp, x, /):
            return x


def test_rule_begins_with_g():
    with pytest.raises(TypeError, match="the first parameter of a rule is 'g'"):

        @multilinear(transpose={"x": lambda x: x}, samples=single_arrays)
        def misnamed(xp, x, /):
            """Fail."""


def test_op_keeps_its_signature_and_docstring():
    assert gradx.reshape.__name__ == "reshape"
    assert gradx.reshape.__doc__.startswith("Give ``x`` a new shape")
    with pytest.raises(
        TypeError, match=r"reshape\(\) missing 1 required positional argument: 'shape'"
    ):
        gradx.reshape(np.ones(3))


LAYERS = [
    ["errors", "before_numpy"],
    ["backends"],
    ["core"],
    ["ops", "device", "dtypes", "creation"],
    [
        "operators",
        "inspection",
        "namespace",
        "numpy_protocols",
        "transforms",
        "linalg",
        "special",
        "fft",
    ],
    ["graph", "nn", "random", "saving"],
    ["optim"],
    ["data"],
    ["distributed"],
    ["train"],
    ["testing", "info", "sklearn", "onnx", "einops"],
]


def layer_of(name):
    return next(i for i, names in enumerate(LAYERS) if name in names)


every_file = pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)


def imports_of(path):
    """Yield each import statement of a file, with the modules it names."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield node, [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            yield node, [f"{node.module}.{alias.name}" for alias in node.names]


@every_file
def test_imports_point_down(path):
    if path == PACKAGE / "__init__.py":
        return
    layer = layer_of(path.relative_to(PACKAGE).with_suffix("").parts[0])
    for node, names in imports_of(path):
        for package, *inside in (name.split(".") for name in names):
            if package == "gradx":
                assert layer_of(inside[0]) <= layer, ast.unparse(node)


@every_file
def test_imports_are_absolute_and_at_the_top(path):
    later = PACKAGE / "__init__.py"  # names for type checkers what it imports when asked
    for node, _ in imports_of(path):
        assert node.col_offset == 0 or path == later, ast.unparse(node)
        assert getattr(node, "level", 0) == 0, ast.unparse(node)


@every_file
def test_file_says_what_it_is_for_and_is_short(path):
    assert ast.get_docstring(ast.parse(path.read_text()))
    assert len(path.read_text().splitlines()) <= 450


@every_file
def test_functions_are_short(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = node.end_lineno - body[0].lineno + 1 if body else 0
            assert lines <= 40, f"{node.name} has {lines} lines"


def test_import_leaves_for_later_what_a_gradient_does_not_need():
    later = [
        "argparse",
        "html",
        "gradx.graph.svg",
        "gradx.nn",
        "gradx.optim",
        "gradx.random",
        "gradx.saving",
        "gradx.special",
        "gradx.train",
        "hashlib",
        "numpy.random",
    ]
    code = f"import sys, gradx; print([name for name in {later} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_is_imported_later_is_found_by_name():
    assert {"draw", "load", "nn", "profile", "save", "saving", "special", "train"} <= set(dir(gx))
    assert callable(gradx.draw)
    assert gradx.saving.load is gradx.load


def test_new_process_reads_a_graph_whose_ops_are_declared_when_asked_for():
    graph = gx.capture(lambda x, key: gx.special.gammaln(x) + gx.random.normal(key))(
        np.float64(4.5), gx.random.key(0)
    )
    code = "import sys, gradx; print(gradx.Graph.from_json(sys.argv[1]))"

    done = subprocess.run(
        [sys.executable, "-c", code, graph.to_json()], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == str(graph).strip()
    assert "gammaln" in done.stdout
    assert "random_numbers" in done.stdout
