"""The embedded default: AMIGOS-format recordings, generated once into the user's cache folder."""

import json
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import platformdirs

from emo_ray.files import text_digest, write_atomically
from emo_ray.orchestration.cluster import n_cores
from emo_ray.progress import StageBar
from emo_ray.provenance import code_digest
from emo_ray.testing.amigos_files import AmigosFiles, write_subject

DEMO = AmigosFiles(n_subjects=12, long_videos=False, seed=7)
SMOKE = AmigosFiles(n_subjects=4, videos=("10", "13", "18", "58"), seed=7)
_DONE = "complete.json"


def amigos_demo(smoke: bool) -> Path:
    """Folder of the generated corpus; made, one process a core, where it is not complete yet."""
    files = SMOKE if smoke else DEMO
    recipe = files.model_dump_json() + code_digest(("testing",))
    folder = platformdirs.user_cache_path("emo_ray") / f"amigos-generated-{text_digest(recipe)[:12]}"
    if (folder / _DONE).exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    with (
        StageBar("generate", files.n_subjects, "subject") as bar,
        ProcessPoolExecutor(n_cores(), mp_context=get_context("spawn")) as processes,
    ):
        pending = [processes.submit(write_subject, files, index, folder) for index in range(files.n_subjects)]
        bar.started(len(pending))
        for done in as_completed(pending):
            done.result()
            bar.finished()
    write_atomically(folder / _DONE, json.dumps({"generated": True, "config": files.model_dump(mode="json")}))
    return folder
