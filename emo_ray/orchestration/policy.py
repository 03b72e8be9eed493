"""What a failure means for a run: another start, or a row. Pure: decides, touches nothing."""

from enum import Enum

# A lost worker (killed, node gone) says nothing about the run, and neither does memory that neighbours
# had taken: such a run gets one more start, in a fresh worker.
MAX_RETRIES = 1


class Decision(Enum):
    """What to do with a run that raised an error."""

    RETRY = "retry"
    RECORD = "record"


def decide(error: BaseException, attempt: int) -> Decision:
    """Memory that ran out is worth a second start; any other error of a run would only come again."""
    out_of_memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return Decision.RETRY if out_of_memory and attempt <= MAX_RETRIES else Decision.RECORD


def lost_for_good() -> str:
    """The error of a run whose worker was lost each time it was started."""
    return (
        f"ClusterError: its worker was lost {MAX_RETRIES + 1} times (killed, out of memory, or its node went "
        "away)"
    )
