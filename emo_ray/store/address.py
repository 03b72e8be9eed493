"""Content addresses of stored subjects: what the files hold, how they are read, which code reads them."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel

from emo_ray.corpora.base import PLACES, CorpusConfig
from emo_ray.extraction.base import ExtractionConfig
from emo_ray.files import file_digest, file_state, text_digest, write_atomically
from emo_ray.provenance import FEATURE_ROOMS, code_digest, feature_libraries

_DIGESTS = "digests.json"


def subject_keys(
    corpus: CorpusConfig, extraction: ExtractionConfig, files: Mapping[str, Sequence[Path]], store: Path
) -> dict[str, str]:
    """Content address of every subject's features.

    The same corpus in another folder has the same address; a changed file, option, library or line of code
    that makes features has another, and so has a file that was moved within the corpus, for some are told
    apart by their folders alone. Digests of unchanged files (path, size, mtime) are remembered in the store.
    """
    known = _load_digests(store)
    digests = {path: _digest(path, known) for paths in files.values() for path in paths}
    # Remembering digests only saves time: where it fails, they are computed again.
    with suppress(OSError):
        write_atomically(store / _DIGESTS, json.dumps(known))
    recipe = json.dumps(
        {
            "corpus": _identity(corpus, leave_out=PLACES),
            "extraction": _identity(extraction),
            "code": code_digest(FEATURE_ROOMS),
            # a filter of another release of SciPy may differ in its last digits
            "libraries": dict(feature_libraries()),
        },
        sort_keys=True,
    )
    return {
        subject: text_digest(
            "\n".join([recipe, subject, *(f"{_place(path, corpus.path)} {digests[path]}" for path in paths)])
        )
        for subject, paths in files.items()
    }


def stored_path(store: Path, subject: str, key: str) -> Path:
    """Where a subject's features lie; the name of the subject is made safe for a file name."""
    corpus, _, name = subject.rpartition("/")
    safe = "".join(letter if letter.isalnum() else "-" for letter in name)[:40]
    folder = "".join(letter if letter.isalnum() else "-" for letter in corpus)[:40] or "corpus"
    # 16 digits of the key tell files apart; the whole key is in the metadata, and is compared there.
    return store / folder / f"{safe}-{key[:16]}.parquet"


def _place(path: Path, folder: Path) -> str:
    """Where a file lies below the folder of its corpus; its name alone, where it lies elsewhere."""
    is_below = path != folder and path.is_relative_to(folder)
    return path.relative_to(folder).as_posix() if is_below else path.name


def _identity(config: BaseModel, leave_out: set[str] | None = None) -> dict[str, object]:
    return config.model_dump(mode="json", exclude=leave_out)


def _load_digests(store: Path) -> dict[str, str]:
    try:
        content = json.loads((store / _DIGESTS).read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _digest(path: Path, known: dict[str, str]) -> str:
    n_bytes, changed_ns = file_state(path)
    # A changed file has a new name here, so its old digest is never found again.
    name = f"{path.resolve()}|{n_bytes}|{changed_ns}"
    if name not in known:
        known[name] = file_digest(path)
    return known[name]
