"""Embedded default data: recordings in a corpus's layout, generated once into the user's cache folder."""

import json
from pathlib import Path

import platformdirs

from emo_ray.errors import ConfigError
from emo_ray.files import text_digest, write_atomically
from emo_ray.processes import in_processes
from emo_ray.progress import StageBar
from emo_ray.provenance import code_digest
from emo_ray.testing.amigos_files import AmigosFiles
from emo_ray.testing.corpus_files import CorpusFiles

DEMO = AmigosFiles(n_subjects=12, long_videos=False, seed=7)
SMOKE = AmigosFiles(n_subjects=4, videos=("10", "13", "18", "58"), seed=7)
_DONE = "complete.json"
NOTICE = "synthetic.txt"


def amigos_demo(smoke: bool) -> Path:
    """Folder of generated recordings in AMIGOS format."""
    return generated("amigos", SMOKE if smoke else DEMO)


def seed_iv_demo(smoke: bool) -> Path:
    """Folder of generated features in SEED-IV's layout: one session, its clips as long as films are."""
    from emo_ray.testing.seed_iv_files import SeedIVFiles

    people = 5 if smoke else 10
    return generated(
        "seed_iv", SeedIVFiles(n_subjects=people, contents=("features",), sessions=("1",), seed=7)
    )


def gameemo_demo(smoke: bool) -> Path:
    """Folder of generated recordings in GAMEEMO's layout."""
    from emo_ray.testing.gameemo_files import GameemoFiles

    files = GameemoFiles.small(4) if smoke else GameemoFiles(n_subjects=10, formats=("csv",), game_s=60.0)
    return generated("gameemo", files.model_copy(update={"seed": 7}))


def empatica_demo(smoke: bool) -> Path:
    """Folder of generated wristband recordings, as WESAD's."""
    from emo_ray.testing.empatica_files import EmpaticaFiles

    files = EmpaticaFiles.small(4) if smoke else EmpaticaFiles(n_subjects=10)
    return generated("empatica", files.model_copy(update={"seed": 7}))


def generated(kind: str, files: CorpusFiles) -> Path:
    """Folder of the generated corpus; made, one process a core, where it is not complete yet.

    Raises
    ------
    ConfigError : the cache folder can not be written
    """
    # The generator's code is part of the name: after a change to it nobody meets the old files.
    recipe = files.model_dump_json() + code_digest(("testing",))
    folder = platformdirs.user_cache_path("emo_ray") / f"{kind}-generated-{text_digest(recipe)[:12]}"
    # Written last, so a generation that was killed is done again.
    if (folder / _DONE).exists():
        return folder
    try:
        _generate(files, folder)
    except OSError as error:
        raise ConfigError(
            f"can not write the generated recordings to {folder} ({error.strerror or error}): make room "
            "or make it writable, name another place with XDG_CACHE_HOME, or give recordings with --data"
        ) from error
    return folder


def write(files: CorpusFiles, folder: Path) -> int:
    """Write everything, one process a core; returns the number of files."""
    folder.mkdir(parents=True, exist_ok=True)
    shared = files.write_shared(folder)
    (folder / NOTICE).write_text(f"Synthetic recordings made by emo_ray; nobody's data.\n{files!r}\n")
    calls = {str(index): (index, folder) for index in range(files.n_parts)}
    with StageBar("generate", len(calls), "part") as bar:
        written = in_processes(bar, files.write_part, calls)
    return len(shared) + sum(len(paths) for paths in written.values())


def _generate(files: CorpusFiles, folder: Path) -> None:
    write(files, folder)
    write_atomically(folder / _DONE, json.dumps({"generated": True, "config": files.model_dump(mode="json")}))
