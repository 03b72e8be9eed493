"""Unpickling CMA-ES's state, and nothing else: what lies in a storage may have been written by anybody."""

from cmaes import CMA

from emo_ray.errors import SearchError
from emo_ray.unpickling import unpickled

_CLASSES = {("cmaes._cma", "CMA"): CMA}


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
        optimizer = unpickled(bytes.fromhex(content), classes=_CLASSES)
        if not isinstance(optimizer, CMA):
            raise TypeError(f"it is a {type(optimizer).__name__}")
    # A state that is plain, but not CMA-ES's, can make CMA-ES raise nearly anything.
    except Exception as error:
        raise SearchError(
            f"the storage does not hold a CMA-ES optimizer in candidate {candidate}, where Optuna keeps one "
            f"({error}): somebody changed it, or another version of cmaes wrote it. Nothing of it was run. "
            "Move the storage away and start again; what the search has found stands in search.jsonl"
        ) from error
    return optimizer
