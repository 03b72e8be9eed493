"""Unpickling CMA-ES's state, and nothing else: what lies in a storage may have been written by anybody."""

import io
import pickle
from typing import Any

from cmaes import CMA

from emo_ray.errors import SearchError

# What a pickled optimizer names, with numpy's own way to rebuild arrays and numbers.
_ALLOWED = {
    ("cmaes._cma", "CMA"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return super().find_class(module, name)


def restored_cma(content: str, candidate: int) -> CMA:
    """The CMA-ES optimizer that a candidate left in the storage.

    Parameters
    ----------
    content : the pickle in hex, as Optuna stores it
    candidate : its number, for the message

    Raises
    ------
    SearchError : it is anything else; nothing of it was run
    """
    try:
        optimizer = _Unpickler(io.BytesIO(bytes.fromhex(content))).load()
        if not isinstance(optimizer, CMA):
            raise pickle.UnpicklingError(f"it is a {type(optimizer).__name__}")
    # Bytes that are no pickle can make the unpickler raise nearly anything.
    except Exception as error:
        raise SearchError(
            f"the storage does not hold a CMA-ES optimizer in candidate {candidate}, where Optuna keeps one "
            f"({error}): somebody changed it, or another version of cmaes wrote it. Nothing of it was run. "
            "Move the storage away and start again; what the search has found stands in search.jsonl"
        ) from error
    return optimizer
