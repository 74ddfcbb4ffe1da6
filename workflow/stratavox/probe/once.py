"""What all readouts of a task share, such as inner folds and permutations, is computed once."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from functools import wraps

MOST = 100  # results of a function that are kept, the latest


def once(function: Callable) -> Callable:
    """The ``function``, which is not called again with equal arguments; its result stays as it is.

    Arguments are those that pickle can write, among them arrays.
    """
    results: dict[bytes, object] = {}

    @wraps(function)
    def kept(*arguments):
        key = hashlib.sha256(pickle.dumps(arguments)).digest()
        if key not in results:
            while len(results) >= MOST:
                results.pop(next(iter(results)))
            results[key] = function(*arguments)
        return results[key]

    return kept
