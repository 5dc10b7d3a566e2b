"""Training: ``fit``, and what it is made of.

loop.py            fit: epochs, steps, who is told
step.py            one step, compiled or not
compiling.py       what is compiled, and goes on as it is where that cannot be
losses.py          the two ways to write a loss
sources.py         what is accepted as data
evaluation.py      evaluate: loss and metrics on other data
metrics.py         accuracy, errors, r2
classification.py  top-k, F1, the confusion matrix
state.py           what callbacks see, and the result
callbacks.py       the events of training
checkpoint.py      save a run, and go on with it
early_stopping.py  stop in time, and go back to the best
plateau.py         lower the learning rate when nothing improves
rates.py           find a learning rate
precision.py       layers in sixteen bits, with a scaled loss
finite.py          no step on numbers that are not finite
history.py         what happened in each epoch
logs.py            the history in a file, as JSON lines, CSV or for TensorBoard
report.py          the history as a page, with curves.py
progress.py        a bar on a terminal, lines elsewhere
"""

from gradx.train.checkpoint import Checkpoint as Checkpoint
from gradx.train.classification import confusion as confusion
from gradx.train.classification import f1 as f1
from gradx.train.classification import top_k_accuracy as top_k_accuracy
from gradx.train.early_stopping import EarlyStopping as EarlyStopping
from gradx.train.evaluation import evaluate as evaluate
from gradx.train.finite import NonFiniteError as NonFiniteError
from gradx.train.history import History as History
from gradx.train.logs import CSVLog as CSVLog
from gradx.train.logs import JSONLog as JSONLog
from gradx.train.logs import TensorBoardLog as TensorBoardLog
from gradx.train.loop import fit as fit
from gradx.train.metrics import accuracy as accuracy
from gradx.train.metrics import mean_absolute_error as mean_absolute_error
from gradx.train.metrics import mean_squared_error as mean_squared_error
from gradx.train.metrics import r2 as r2
from gradx.train.plateau import ReduceOnPlateau as ReduceOnPlateau
from gradx.train.rates import Rates as Rates
from gradx.train.rates import find_learning_rate as find_learning_rate
from gradx.train.state import Result as Result
from gradx.train.state import State as State
