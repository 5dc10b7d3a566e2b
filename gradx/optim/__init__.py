"""Optimizers: pure functions from gradients to updates of parameters."""

from gradx.optim import schedules as schedules
from gradx.optim.adadelta import adadelta as adadelta
from gradx.optim.adagrad import adagrad as adagrad
from gradx.optim.adam import adam as adam
from gradx.optim.adamw import adamw as adamw
from gradx.optim.chain import chain as chain
from gradx.optim.clip import clip_by_global_norm as clip_by_global_norm
from gradx.optim.clip import global_norm as global_norm
from gradx.optim.decay import add_decayed_weights as add_decayed_weights
from gradx.optim.nadam import nadam as nadam
from gradx.optim.optimizer import Optimizer as Optimizer
from gradx.optim.optimizer import apply_updates as apply_updates
from gradx.optim.radam import radam as radam
from gradx.optim.rmsprop import rmsprop as rmsprop
from gradx.optim.sgd import sgd as sgd
