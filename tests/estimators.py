"""The estimators beside scikit-learn's own network, cross-validated on the same folds.

    python -m tests.estimators --seeds 5

prints the mean accuracy of both on three data sets, and exits with an error where ours is lower.
"""

import argparse
import sys
import warnings

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gradx.sklearn import Classifier

DATA = {"wine": load_wine, "breast cancer": load_breast_cancer, "digits": load_digits}


def scores(kind, x, y, seeds):
    """Return the accuracy on each of five folds, for each seed."""
    found = []
    for seed in range(seeds):
        folds = StratifiedKFold(5, shuffle=True, random_state=seed)
        pipeline = make_pipeline(StandardScaler(), kind(random_state=seed))
        found += list(cross_val_score(pipeline, x, y, cv=folds, error_score="raise"))
    return np.asarray(found)


def compare(name, seeds):
    """Print both means and the standard error of their difference; tell if ours is not lower."""
    x, y = DATA[name](return_X_y=True)
    ours, theirs = scores(Classifier, x, y, seeds), scores(MLPClassifier, x, y, seeds)
    difference = ours - theirs
    error = difference.std(ddof=1) / len(difference) ** 0.5
    print(
        f"{name:<14} gradx {ours.mean():.4f}  scikit-learn {theirs.mean():.4f}  "
        f"difference {difference.mean():+.4f} +- {error:.4f}",
        flush=True,
    )
    return difference.mean() >= 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--data", nargs="*", choices=list(DATA), default=list(DATA))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    hold = [compare(name, arguments.seeds) for name in arguments.data]
    sys.exit(0 if all(hold) else "an estimator is worse than scikit-learn's")
