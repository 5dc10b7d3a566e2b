"""Wrong arguments of every public function that is no op: a right call, then one thing wrong.

Ops are in `test_wrong_input.py`, which finds their right calls in their samples.
"""

import inspect

import numpy as np
import pytest

import gradx as gx
from gradx import data, fft, linalg, nn, optim, random, special, train
from gradx.core.op import COMPOSED, OPS
from gradx.data import datasets
from gradx.nn import init


@pytest.fixture(autouse=True)
def settings_are_as_before():
    """Undo what a right call of a setting sets from then on."""
    yield
    gx.matmul_precision("highest")
    gx.deterministic(False)


X = np.asarray([[0.5, 1.0, 2.0], [1.5, 0.7, 0.9]])
LABELS = np.asarray([0, 2])
KEY = random.key(0)
SHAPE = {"shape": (2, 3)}
DRAW = {"key": KEY, "shape": (2, 3)}


def total(x):
    return gx.sum(gx.multiply(x, x))


def layer():
    return nn.Linear(3, 2, key=KEY)


def squared(predictions, targets):
    return nn.mse(predictions, targets)


TRAINED = {
    "model": layer(),
    "loss": squared,
    "data": (X, X[:, :2]),
    "batch_size": 2,
    "device": "cpu",
}
FITTED = TRAINED | {
    "optimizer": optim.sgd(0.1),
    "epochs": 1,
    "key": KEY,
    "progress": None,
    "sampling": "subsets",
    "early_stopping": None,
    "callbacks": (),
    "metrics": (),
    "validation": None,
    "world": None,
}
RATE = {"learning_rate": 0.1}

PLACED = {"device": "cpu", "dtype": "float32"}
NORM = PLACED | {"eps": 1e-5, "affine": True}
RECURRENT = PLACED | {"inputs": 3, "features": 2, "key": KEY, "reverse": True}
ATTENTION = PLACED | {"features": 4, "heads": 2, "key": KEY, "causal": True, "dropout": 0.1}

# Function: the arguments of a right call, positional ones under their names.
CALLS = {
    gx.arange: {"start": 0, "stop": 3, "step": 1, "dtype": "int64", "device": "cpu"},
    gx.asarray: {"x": X, "dtype": "float32", "device": "cpu", "copy": True},
    gx.broadcast_shapes: {"shapes": (2, 3)},
    gx.can_cast: {"from_": gx.float32, "to": gx.float64},
    gx.default_device: {"device": "cpu"},
    gx.draw: {"f": total, "args": X},
    gx.empty: {"shape": (2, 3), "dtype": "float32", "device": "cpu"},
    gx.eye: {"n_rows": 2, "n_cols": 3, "k": 1, "dtype": "float32", "device": "cpu"},
    gx.finfo: {"type": gx.float32},
    gx.from_dlpack: {"x": X, "device": "cpu", "copy": None},
    gx.full: {"shape": (2, 3), "fill_value": 1.5, "dtype": "float32", "device": "cpu"},
    gx.full_like: {"x": X, "fill_value": 1.5, "dtype": "float32", "device": "cpu"},
    gx.iinfo: {"type": gx.int32},
    gx.isdtype: {"dtype": gx.float32, "kind": "real floating"},
    gx.linspace: {"start": 0.0, "stop": 1.0, "num": 3, "dtype": "float32", "endpoint": True},
    gx.ones: {"shape": (2, 3), "dtype": "float32", "device": "cpu"},
    gx.result_type: {"arrays_and_dtypes": X},
    gx.tensor: {"value": X, "device": "cpu", "name": "x"},
    gx.to_device: {"tree": X, "device": "cpu"},
    gx.zeros: {"shape": (2, 3), "dtype": "float32", "device": "cpu"},
    fft.fftfreq: {"n": 3, "d": 0.5, "dtype": "float32", "device": "cpu"},
    fft.rfftfreq: {"n": 3, "d": 0.5, "dtype": "float32", "device": "cpu"},
    gx.hvp: {"f": total, "primals": (X,), "tangents": (X,)},
    gx.jvp: {"f": total, "primals": (X,), "tangents": (X,), "has_aux": False},
    gx.linearize: {"f": total, "primals": X},
    gx.vjp: {"f": total, "primals": X, "has_aux": False},
    nn.AvgPool: {"kernel": 2, "stride": 1, "padding": 0, "count_padding": True, "ceil_mode": True},
    nn.MaxPool: {"kernel": 2, "stride": 1, "padding": 0, "dilation": 2, "ceil_mode": True},
    nn.Conv: {"inputs": 2, "outputs": 4, "kernel": (3, 3), "key": KEY, "groups": 2, "bias": True}
    | {"stride": 1, "padding": 1, "dilation": 1, "dtype": "float32", "device": "cpu"},
    nn.ConvTranspose: {"inputs": 2, "outputs": 4, "kernel": (3, 3), "key": KEY, "groups": 2}
    | {"stride": 1, "padding": 1, "output_padding": 0, "dilation": 1, "dtype": "float32"},
    nn.DropConnect: {"layer": layer(), "rate": 0.5},
    nn.Dropout: {"rate": 0.5},
    nn.Linear: {"inputs": 3, "outputs": 2, "key": KEY, "bias": True, "dtype": "float32"}
    | {"weight_init": init.he_normal, "bias_init": init.zeros, "device": "cpu"},
    nn.Sequential: {"layers": layer()},
    nn.BatchNorm: {"channels": 3, "momentum": 0.1} | NORM,
    nn.GroupNorm: {"groups": 2, "channels": 4} | NORM,
    nn.LayerNorm: {"shape": (3,), "bias": True} | NORM,
    nn.RMSNorm: {"shape": (3,)} | NORM,
    nn.Embedding: {"count": 5, "features": 3, "key": KEY} | PLACED,
    nn.EmbeddingBag: {"count": 5, "features": 3, "key": KEY, "mode": "sum", "padding": 0} | PLACED,
    nn.SpectralNorm: {"layer": layer(), "key": KEY, "axis": 1, "steps": 2, "eps": 1e-12},
    nn.WeightNorm: {"layer": layer(), "axis": 1},
    nn.LearnedPositions: {"length": 5, "features": 3, "key": KEY} | PLACED,
    **dict.fromkeys([nn.RNN, nn.GRU], RECURRENT | {"bias": True}),
    nn.LSTM: RECURRENT | {"bias": True, "outputs": 1},
    nn.Recurrent: {"kind": nn.LSTM, "inputs": 3, "features": 2, "key": KEY, "layers": 2}
    | {"bias": True, "outputs": 1}
    | {"bidirectional": True, "dropout": 0.5, "dtype": "float32", "device": "cpu"},
    nn.MultiHeadAttention: ATTENTION | {"context_features": 3, "bias": True},
    nn.TransformerBlock: ATTENTION | {"hidden": 8, "norm_first": True, "eps": 1e-5},
    nn.DecoderBlock: ATTENTION
    | {"hidden": 8, "norm_first": True, "eps": 1e-5, "context_features": 3},
    nn.PReLU: PLACED | {"channels": 2, "initial": 0.25},
    nn.AdaptiveAvgPool: {"size": 2},
    nn.PixelShuffle: {"scale": 2},
    nn.Upsample: {"scale": 2, "method": "linear", "align_corners": True},
    nn.Residual: {"layer": layer()},
    nn.dot_product_attention: {"queries": X, "keys": X, "values": X, "causal": True},
    nn.sinusoids: {"positions": X, "features": 2},
    nn.take_state: {"model": layer(), "source": layer()},
    nn.with_state: {"function": total},
    nn.binary_cross_entropy: {"logits": X, "targets": X / 4, "reduction": "mean"},
    nn.cross_entropy: {"logits": X, "labels": LABELS, "reduction": "mean"},
    nn.hinge: {"scores": X, "labels": LABELS, "margin": 1.0, "reduction": "mean"},
    nn.huber: {"predictions": X, "targets": 2 * X, "delta": 1.0, "reduction": "mean"},
    nn.ctc: {"logits": np.ones((2, 5, 3)), "labels": np.asarray([[1, 2], [1, 1]])}
    | {"lengths": np.asarray([5, 4]), "label_lengths": np.asarray([2, 1]), "blank": 0}
    | {"reduction": "mean", "zero_infinity": True},
    nn.kl_divergence: {"log_predictions": -X, "targets": X / 4, "reduction": "mean"},
    nn.poisson_nll: {"log_rates": X, "targets": X, "reduction": "mean", "full": True},
    nn.gaussian_nll: {"means": X, "targets": X, "variances": X, "reduction": "sum", "full": True}
    | {"eps": 1e-6},
    nn.focal: {"logits": X, "targets": X / 4, "gamma": 2.0, "reduction": "none", "alpha": 0.25},
    nn.cosine_similarity: {"x": X, "y": X, "axis": -1, "eps": 1e-8},
    nn.cosine_embedding: {"x": X, "y": X, "labels": np.asarray([1, -1]), "margin": 0.5}
    | {"reduction": "mean"},
    nn.triplet_margin: {"anchors": X, "positives": 2 * X, "negatives": 3 * X, "margin": 1.0}
    | {"reduction": "mean", "ord": 2.0, "swap": True, "eps": 1e-6},
    nn.l1_penalty: {"parameters": layer(), "strength": 0.1, "select": nn.is_weight},
    nn.l2_penalty: {"parameters": layer(), "strength": 0.1, "select": nn.is_weight},
    nn.mae: {"predictions": X, "targets": 2 * X, "reduction": "mean"},
    nn.mse: {"predictions": X, "targets": 2 * X, "reduction": "mean"},
    **{
        getattr(init, name): DRAW | {"dtype": "float32", "device": "cpu"}
        for name in ["glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "lecun_normal"]
        + ["lecun_uniform", "ones", "zeros", "normal", "orthogonal", "uniform"]
        if hasattr(init, name)
    },
    init.constant: DRAW | {"value": 0.5},
    optim.adabelief: RATE | {"beta1": 0.9, "beta2": 0.999, "eps": 1e-16},
    optim.adadelta: RATE | {"rho": 0.9, "eps": 1e-6},
    optim.adagrad: RATE | {"eps": 1e-6},
    optim.adam: RATE | {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "amsgrad": True},
    optim.accumulate: {"optimizer": optim.sgd(0.1), "every": 2},
    optim.adafactor: RATE | {"decay": 0.8, "eps": 1e-3, "clip": 1.0, "weight_decay": 0.1},
    optim.adamax: RATE | {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
    optim.averaged: {"optimizer": optim.sgd(0.1), "decay": 0.9},
    optim.lamb: RATE | {"beta1": 0.9, "beta2": 0.999, "eps": 1e-6, "weight_decay": 0.1},
    optim.lars: RATE
    | {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1, "coefficient": 0.001},
    optim.lbfgs: RATE | {"history": 3},
    optim.lion: RATE | {"beta1": 0.9, "beta2": 0.99, "weight_decay": 0.1},
    optim.lookahead: {"optimizer": optim.sgd(0.1), "every": 2, "share": 0.5},
    optim.minimize: {"function": total, "start": X, "steps": 2, "history": 3, "tolerance": 1e-8},
    optim.sgdw: RATE | {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    optim.sharpness_aware: {"function": total, "rho": 0.1, "has_aux": False},
    optim.adamw: RATE
    | {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.1}
    | {"amsgrad": True},
    optim.add_decayed_weights: {"strength": 0.1},
    optim.add_noise: {"variance": 0.1, "key": KEY, "decay": 0.5},
    optim.apply_updates: {"params": {"w": X}, "updates": {"w": X}},
    optim.chain: {"transforms": optim.sgd(0.1)},
    optim.clip_by_global_norm: {"max_norm": 1.0},
    optim.global_norm: {"values": {"w": X}},
    optim.nadam: RATE | {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "momentum_decay": 0.1},
    optim.partition: {"groups": {"*": optim.sgd(0.1)}},
    optim.radam: RATE | {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
    optim.rmsprop: RATE | {"alpha": 0.9, "eps": 1e-8, "momentum": 0.5, "centered": True},
    optim.sgd: RATE | {"momentum": 0.9, "nesterov": False, "dampening": 0.5, "maximize": True},
    optim.asgd: RATE | {"decay": 1e-4, "exponent": 0.75, "start": 10},
    optim.rprop: RATE | {"shrink": 0.5, "grow": 1.2, "smallest": 1e-6, "largest": 50.0},
    optim.yogi: RATE | {"beta1": 0.9, "beta2": 0.999, "eps": 1e-3, "start": 1e-6},
    optim.muon: RATE
    | {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}
    | {"beta1": 0.9, "beta2": 0.99, "eps": 1e-8},
    data.batches: {"arrays": (X, LABELS), "size": 1, "key": KEY, "sampling": "random"}
    | {"replace": True, "drop_last": False},
    data.split: {"arrays": (X, LABELS), "sizes": 0.5, "key": KEY},
    data.prefetch: {"batches": [X], "device": "cpu"},
    train.ReduceOnPlateau: {"monitor": "loss", "factor": 0.5, "patience": 3, "threshold": 0.0}
    | {"relative": True, "cooldown": 1, "least": 0.1, "mode": "min"},
    train.EarlyStopping: {"monitor": "loss", "patience": 3, "min_delta": 0.0, "mode": "min"},
    train.Checkpoint: {"directory": "somewhere", "monitor": "loss", "mode": "min", "every": 1},
    train.JSONLog: {"path": "log.jsonl"},
    train.TensorBoardLog: {"directory": "logs"},
    train.CSVLog: {"path": "log.csv"},
    train.confusion: {"predictions": X, "targets": LABELS, "classes": 4},
    train.f1: {"predictions": X, "targets": LABELS, "average": "macro"},
    train.top_k_accuracy: {"predictions": X, "targets": LABELS, "k": 2},
    train.find_learning_rate: {key: TRAINED[key] for key in ("model", "loss", "data")}
    | {"optimizer": optim.sgd, "key": KEY, "lowest": 1e-6, "highest": 1.0, "steps": 5}
    | {"batch_size": 2},
    train.accuracy: {"predictions": X, "targets": LABELS},
    train.evaluate: TRAINED,
    train.fit: FITTED,
    train.mean_absolute_error: {"predictions": X, "targets": X + 1},
    train.mean_squared_error: {"predictions": X, "targets": X + 1},
    train.r2: {"predictions": X, "targets": X + 1},
    random.bernoulli: DRAW | {"p": 0.5, "device": "cpu"},
    random.categorical: {"key": KEY, "logits": X},
    random.fold_in: {"key": KEY, "data": 1},
    random.integers: DRAW | {"low": 0, "high": 4, "dtype": "int32", "device": "cpu"},
    random.key: {"seed": 0},
    random.normal: DRAW | {"mean": 0.0, "std": 1.0, "dtype": "float32", "device": "cpu"},
    random.permutation: {"key": KEY, "x": 4, "device": "cpu"},
    random.split: {"key": KEY, "n": 2},
    random.uniform: DRAW | {"low": 0.0, "high": 1.0, "dtype": "float32", "device": "cpu"},
}


def differentiating(transform):
    def run(f, x, **settings):
        return transform(f, **settings)(x)

    run.__name__ = transform.__name__
    return run


CALLS |= {
    differentiating(gx.grad): {"f": total, "x": X, "argnums": 0, "has_aux": False}
    | {"holomorphic": False},
    differentiating(gx.value_and_grad): {"f": total, "x": X, "argnums": 0, "has_aux": False},
    differentiating(gx.hessian): {"f": total, "x": X, "argnums": 0, "has_aux": False},
    differentiating(gx.jacobian): {"f": gx.square, "x": X, "argnums": 0, "has_aux": False}
    | {"chunk_size": 2},
    differentiating(gx.vmap): {"f": total, "x": X, "in_axes": 0, "out_axes": 0},
    differentiating(gx.capture): {"f": total, "x": X},
    differentiating(gx.checkpoint): {"f": total, "x": X},
    differentiating(gx.compile): {"f": total, "x": X, "static": (), "donate": ()},
    gx.capture: {"f": total},
    gx.checkpoint: {"f": total},
    gx.compile: {"f": total},
    gx.custom_rule: {"partials": {"x": lambda x: 2 * x}},
    gx.deterministic: {"on": True},
    gx.matmul_precision: {"precision": "tf32"},
    gx.profile: {"f": total, "args": X, "runs": 2},
    gx.grad: {"f": total},
    gx.value_and_grad: {"f": total},
    gx.hessian: {"f": total},
    gx.jacobian: {"f": total},
    gx.vmap: {"f": total},
}

WRONG = {
    "nothing": None,
    "text": "no such thing",
    "list": [1.0, "a"],
    "object": object(),
    "dict": {"x": 1.0},
    "negative": -3,
    "fraction": 0.3,
    "huge": 10**30,
    "NaN": float("nan"),
    "complex": np.asarray([[1j]]),
    "booleans": np.asarray([True]),
    "integers": np.asarray([[7]]),
    "another shape": np.ones((5, 4, 1)),
    "strings": np.asarray(["a"]),
    "empty": (),
    "pair": (0, 0),
    "function": lambda *arguments: None,
    "type": int,
}

# Namespaces, and what is public there, but is not called with arguments or takes any.
SPACES = [gx, linalg, fft, special, nn, optim, data, train, random]
NOT_CALLED = {
    "Tensor", "debug", "devices", "info",  # made by gx.tensor; no arguments
    "current_matmul_precision", "is_deterministic", "SinusoidalPositions", "KeyValueCache",
    "Flatten", "Module", "static", "state", "is_weight",  # no arguments, or any
    "save", "load",  # test_saving.py
    "memory", "limit_memory",  # take a GPU: test_cuda_memory.py
    "Graph", "Minimum", "Rates", "Optimizer",  # made by functions, as are the next
    "Batches", "History", "Result", "State",
    "Namespace",
}  # fmt: skip


def named(function):
    return f"{function.__module__.removeprefix('gradx.')}.{function.__name__}"


def invoke(function, arguments):
    """Call with arguments under the names of the signature, of which some are positional."""
    positional, by_name = [], dict(arguments)
    for parameter in inspect.signature(function).parameters.values():
        named_only = {parameter.KEYWORD_ONLY, parameter.VAR_KEYWORD}
        if parameter.name in by_name and parameter.kind not in named_only:
            positional.append(by_name.pop(parameter.name))
    return function(*positional, **by_name)


every_function = pytest.mark.parametrize("function", CALLS, ids=named)


@every_function
def test_right_call_is_right(function):
    invoke(function, CALLS[function])


ENDLESS = {("epochs", "huge"), ("runs", "huge")}


def is_the_callers_own(name, right, kind):
    """Tell whether nothing is promised: of a flag its truth value is taken, functions run."""
    if isinstance(right, bool):
        return kind in ("another shape", "strings")
    return (callable(right) and kind in ("function", "type")) or (name, kind) in ENDLESS


@every_function
@pytest.mark.filterwarnings("ignore")
def test_one_wrong_argument_raises_an_error_of_gradx_or_is_understood(function):
    for name in CALLS[function]:
        for kind, value in WRONG.items():
            if is_the_callers_own(name, CALLS[function][name], kind):
                continue
            try:
                invoke(function, CALLS[function] | {name: value})
            except gx.GradxError:
                continue
            except Exception as error:
                pytest.fail(f"{name}={value!r} ({kind}): {type(error).__name__}: {error}")


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.__name__)
def test_every_public_function_has_a_right_call_here(space):
    ops = {id(op.call) for op in (*OPS.values(), *COMPOSED.values())}
    called = {id(function) for function in CALLS}
    names = getattr(space, "__all__", None) or [n for n in dir(space) if not n.startswith("_")]
    for name in names:
        value = getattr(space, name)
        ours = callable(value) and getattr(value, "__module__", "").startswith("gradx")
        if ours and id(value) not in ops and not issubclass_of_error(value):
            assert id(value) in called or name in NOT_CALLED, f"{space.__name__}.{name}"


def issubclass_of_error(value):
    return isinstance(value, type) and issubclass(value, Exception)


def test_data_sets_refuse_dtypes_that_are_none():
    for make in [datasets.digits, datasets.fashion_mnist]:
        with pytest.raises(gx.GradxError):
            make(dtype="no such thing")
