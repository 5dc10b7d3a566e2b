"""Optimizers: pure functions from gradients to updates of parameters."""

from gradx.optim import schedules as schedules
from gradx.optim.accumulation import accumulate as accumulate
from gradx.optim.adadelta import adadelta as adadelta
from gradx.optim.adafactor import adafactor as adafactor
from gradx.optim.adagrad import adagrad as adagrad
from gradx.optim.adam import adam as adam
from gradx.optim.adamax import adamax as adamax
from gradx.optim.adamw import adamw as adamw
from gradx.optim.averaging import averaged as averaged
from gradx.optim.chain import chain as chain
from gradx.optim.clip import clip_by_global_norm as clip_by_global_norm
from gradx.optim.clip import global_norm as global_norm
from gradx.optim.decay import add_decayed_weights as add_decayed_weights
from gradx.optim.lamb import lamb as lamb
from gradx.optim.lbfgs import lbfgs as lbfgs
from gradx.optim.lion import lion as lion
from gradx.optim.minimize import Minimum as Minimum
from gradx.optim.minimize import minimize as minimize
from gradx.optim.nadam import nadam as nadam
from gradx.optim.optimizer import Optimizer as Optimizer
from gradx.optim.optimizer import apply_updates as apply_updates
from gradx.optim.radam import radam as radam
from gradx.optim.rmsprop import rmsprop as rmsprop
from gradx.optim.sgd import sgd as sgd
from gradx.optim.sgdw import sgdw as sgdw
from gradx.optim.sharpness import sharpness_aware as sharpness_aware
