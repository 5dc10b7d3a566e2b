"""The estimators beside scikit-learn's own networks, cross-validated on the same folds.

    python -m tests.estimators --repeats 3 --seed 7

prints the mean score of both on each data set, the standard error of the difference, and exits
with an error where ours is lower. Scores are accuracy, and R2 of numbers. Both have their defaults,
and the folds and the networks' own randomness follow from the seed, which is a new one each time
unless given: defaults that were chosen on some folds are measured on others.
"""

import argparse
import secrets
import sys
import warnings

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold, cross_val_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from gradx.sklearn import Classifier, Regressor


def sixteenth(x):
    return x / 16


PIXELS = FunctionTransformer(sixteenth)
CLASSES = (Classifier, MLPClassifier, RepeatedStratifiedKFold)
NUMBERS = (Regressor, MLPRegressor, RepeatedKFold)
CASES = {
    "wine": (load_wine, StandardScaler(), CLASSES),
    "breast cancer": (load_breast_cancer, StandardScaler(), CLASSES),
    "digits": (load_digits, StandardScaler(), CLASSES),
    "digits, pixels": (load_digits, PIXELS, CLASSES),
    "diabetes": (load_diabetes, StandardScaler(), NUMBERS),
}


def compare(name, splits, repeats, seed):
    """Print both means and the standard error of their difference; tell if ours is not lower."""
    load, scaler, (ours, theirs, folds) = CASES[name]
    x, y = load(return_X_y=True)

    def scores(kind):
        found = []
        for repeat in range(repeats):
            pipeline = make_pipeline(scaler, kind(random_state=seed + repeat))
            cut = folds(n_splits=splits, n_repeats=1, random_state=seed + repeat)
            found += list(cross_val_score(pipeline, x, y, cv=cut, error_score="raise"))
        return np.asarray(found)

    first, second = scores(ours), scores(theirs)
    difference = first - second
    error = difference.std(ddof=1) / len(difference) ** 0.5
    print(
        f"{name:<14} gradx {first.mean():.4f}  scikit-learn {second.mean():.4f}  "
        f"difference {difference.mean():+.4f} +- {error:.4f}",
        flush=True,
    )
    return difference.mean() >= 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31 - 1000))
    parser.add_argument("--data", nargs="*", choices=list(CASES), default=list(CASES))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    print(f"seed {arguments.seed}: {arguments.repeats} times {arguments.splits} folds", flush=True)
    ours = [arguments.splits, arguments.repeats, arguments.seed]
    hold = [compare(name, *ours) for name in arguments.data]
    sys.exit(0 if all(hold) else "an estimator is worse than scikit-learn's")
