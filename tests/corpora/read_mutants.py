"""Reads mutated copies of one corpus; ends with 1 and the seed where a reader raises what is not its own."""

import ast
import faulthandler
import shutil
import signal
import sys
import traceback
import warnings
from pathlib import Path

import numpy as np

from emo_ray.corpora.recognition import corpus_of_kind, with_settings
from emo_ray.corpora.survey import survey_subject
from emo_ray.errors import EmoRayError

LIMIT_S = 20  # of one reading, far above what a sound one takes
# A pickle that writes the file named by $CANARY when it is loaded without care.
HARM = b"cos\nsystem\n(S'echo > \"$CANARY\"'\ntR."


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """One way to damage bytes: cut, flip, insert, repeat, blank, or put harm in their place."""
    size = max(1, len(content))
    place = int(rng.integers(size)) if rng.random() < 0.5 else int(rng.integers(min(size, 2048)))
    few, many = rng.integers(0, min(size, 4096), 8), rng.integers(0, size, 32)
    ways = (
        lambda: content[:place],
        lambda: flipped(content, few, rng),
        lambda: flipped(content, many, rng),
        lambda: content[:place] + rng.bytes(16) + content[place:],
        lambda: content[:place] + content[max(0, place - 100) :],
        lambda: content[:place] + b"\0" * 64 + content[place + 64 :],
        lambda: HARM,
    )
    return ways[int(rng.integers(len(ways)))]()


def flipped(content: bytes, places: np.ndarray, rng: np.random.Generator) -> bytes:
    """Other bytes at some places."""
    found = bytearray(content)
    for place in places:
        found[place : place + 1] = rng.bytes(1)
    return bytes(found)


def damage(folder: Path, rng: np.random.Generator) -> str:
    """Mutates one file of a folder; returns its name."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.name != "synthetic.txt")
    file = files[int(rng.integers(len(files)))]
    file.write_bytes(mutated(file.read_bytes(), rng))
    return file.name


def read_all(kind: str, fields: dict, folder: Path) -> None:
    """All that `emo-ray inspect` reads."""
    corpus = with_settings(corpus_of_kind(folder, kind), fields)
    tasks = corpus.tasks()
    corpus.notes()
    for subject in corpus.find_subjects():
        survey_subject(corpus, tasks, subject)


def main() -> int:
    kind, fields, folder, work = (
        sys.argv[1],
        ast.literal_eval(sys.argv[2]),
        Path(sys.argv[3]),
        Path(sys.argv[4]),
    )
    faulthandler.enable()
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, _too_long)
    for seed in range(int(sys.argv[5])):
        copy = work / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy)
        name = damage(copy, np.random.default_rng([seed, *kind.encode()]))
        signal.alarm(LIMIT_S)
        try:
            read_all(kind, fields, copy)
        except EmoRayError:
            pass
        except BaseException:
            print(f"seed {seed}, file {name}:\n{traceback.format_exc()}")
            return 1
        finally:
            signal.alarm(0)
    return 0


def _too_long(*_: object) -> None:
    raise TimeoutError(f"one reading took more than {LIMIT_S} s")


if __name__ == "__main__":
    sys.exit(main())
