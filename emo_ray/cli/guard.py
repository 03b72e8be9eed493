"""Around every command: errors as sentences for people, and what its exit code says."""

import logging
import sys
from collections.abc import Callable

from emo_ray.errors import EmoRayError

# 1 is an error of ours; 2 a bug, or (argparse) a command line that can not be read.
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it


def guarded(action: Callable[[], int], debug: bool) -> int:
    """Run an action so that errors are sentences for people; ``debug`` shows tracebacks."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    try:
        return action()
    except KeyboardInterrupt:
        print(
            "\nstopped: what was finished is recorded; the same command goes on from there", file=sys.stderr
        )
        return EXIT_INTERRUPTED
    except EmoRayError as error:
        if debug:
            raise
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        if debug:
            raise
        print(
            f"\nunexpected error: {type(error).__name__}: {error}\nresults that were recorded are intact; "
            "--debug shows where it happened, which belongs into a bug report",
            file=sys.stderr,
        )
        return 2
