"""Student's distribution, whose probabilities are those of ``betainc``."""

from gradx.core.op import elementwise
from gradx.core.samples import Sample, broadcast_pairs
from gradx.ops.arithmetic import divide, quotient, where
from gradx.ops.comparison import isinf, less
from gradx.ops.exponential import exp, log1p
from gradx.ops.signs import sign
from gradx.ops.special_beta_shapes import by_shapes
from gradx.ops.special_gamma import betaln, digamma_rise
from gradx.ops.special_host import side_by_side, through_numpy


def _student(df, t):
    """Return the density of Student's distribution."""
    df, t = side_by_side(df, t)
    shape = betaln(0.5 * df, df * 0 + 0.5)
    return exp(log1p(t * t / df) * (-0.5 * (df + 1)) - shape) / df**0.5


def _student_by_df(df, t):
    """Return the derivative of the density by the degrees of freedom."""
    df, t = side_by_side(df, t)
    ratio = t * t / df
    rise = digamma_rise(0.5 * df, df * 0 + 0.5) - log1p(ratio)
    return 0.5 * _student(df, t) * (rise + (ratio - 1 / df) / (1 + ratio))


def _share_by_shape(df, t, order):
    """Return the derivative of ``betainc(1/2, df / 2, y)`` by its last shape.

    There ``y`` is ``t**2 / (df + t**2)``: where that is more than a half, 1 less it is exact.
    """
    whole = df + t * t
    far = less(df, t * t)
    near = by_shapes(0.5, 0.5 * df, where(far, 0.5, divide(t * t, whole)), 0, order)
    beyond = by_shapes(0.5 * df, 0.5, where(far, divide(df, whole), 0.5), order, 0)
    return where(far, -beyond, near)


def _not_infinite(t):
    """Return 0 for infinities: nothing changes with the degrees of freedom at either."""
    return where(isinf(t), 0.0, t)


def _bend_by_df(df, t):
    """Return the second derivative of ``stdtr`` by the degrees of freedom."""
    df, t = side_by_side(df, t)
    t = _not_infinite(t)
    density = _student(df, t)
    first = digamma_rise(0.5 * df, df * 0 + 0.5) - log1p(t * t / df)
    moved = 0.5 * density * (1 / df - 0.5 * first) - 0.5 * _student_by_df(df, t)
    return 0.125 * sign(t) * _share_by_shape(df, t, 2) + moved * t / df


def _degrees(draw):
    for sample in broadcast_pairs(draw):
        df, t = sample.arrays
        yield Sample((df + 1, t - 1.2))


@elementwise(partials={"df": _bend_by_df, "t": _student_by_df}, samples=_degrees)
def student_by_df(xp, df, t, /):
    """Compute the derivative of ``stdtr`` by the degrees of freedom."""
    dtype = xp.result_type(df, t)
    df, t = xp.astype(df, xp.float64), _not_infinite(xp.astype(t, xp.float64))
    moved = 0.5 * t / df * _student(df, t)
    return xp.astype(0.25 * xp.sign(t) * _share_by_shape(df, t, 1) - moved, dtype)


def _by_df(df, t):
    return student_by_df(*side_by_side(df, t))


def _tests(draw):
    for df, t in [((), (3,)), ((2, 1), (3,)), ((3,), ()), ((0, 3), (3,))]:
        yield Sample((draw(*df) + 2, draw(*t) * 2 - 2.5))
    yield Sample((4.0, draw(3) - 1.2))
    yield Sample((3.0, draw(2) * 0))


@elementwise(
    partials={
        "df": _by_df,
        "t": _student,
    },
    samples=_tests,
)
def stdtr(xp, df, t, /):
    """Compute the probability of a number below ``t`` in Student's distribution.

    ``df`` are the degrees of freedom. Derivatives by them are small differences where they are
    many: of a first one 9 digits are left up to 1e4, of a second up to 1e3.
    """
    return through_numpy("stdtr", df, t)


def _probabilities(draw):
    for df, p in [((), (3,)), ((2, 1), (3,)), ((3,), ()), ((0, 3), (3,))]:
        yield Sample((draw(*df) + 2, draw(*p) * 0.2 + 0.3))
    yield Sample((4.0, draw(3) * 0.2 + 0.3))


def _moves(df, out):
    return quotient(-_by_df(df, out), _student(df, out))


@elementwise(
    partials={
        "df": _moves,
        "p": lambda df, out: quotient(out * 0 + 1, _student(df, out)),
    },
    samples=_probabilities,
)
def stdtrit(xp, df, p, /):
    """Undo ``stdtr`` in its last argument; see there."""
    return through_numpy("stdtrit", df, p)
