"""Several transformations of gradients, one after the other."""

from gradx.core.explain import describe
from gradx.errors import DTypeError
from gradx.optim.optimizer import Optimizer


def chain(*transforms: Optimizer) -> Optimizer:
    """Give the updates of each transformation to the next as its gradients.

    The state is the tuple of theirs.

    >>> import gradx as gx
    >>> optimizer = gx.optim.chain(gx.optim.clip_by_global_norm(1.0), gx.optim.adam(1e-3))
    """
    for position, transform in enumerate(transforms):
        if not isinstance(transform, Optimizer):
            raise DTypeError(
                f"chain: argument {position} is a {type(transform).__name__}, expected an "
                "Optimizer, as gx.optim.adam(1e-3) makes"
            )

    def init(params):
        return tuple([transform.init(params) for transform in transforms])

    def update(grads, state, params=None):
        if not isinstance(state, tuple) or len(state) != len(transforms):
            raise DTypeError(
                f"chain: the state is {describe(state)}, expected the tuple of {len(transforms)} "
                "that init(params) or the last update returned"
            )
        following = []
        for transform, own_state in zip(transforms, state, strict=True):
            grads, own_state = transform.update(grads, own_state, params)
            following.append(own_state)
        return grads, tuple(following)

    return Optimizer(init, update)
