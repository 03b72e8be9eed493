"""The setting of a study as a paper would tell it: corpus, task, protocol, model, training."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from emo_ray.reports.content import Table, shown_name
from emo_ray.results.summary import Section, Summary

Settings = Mapping[str, Any]

# Words for values of a configuration; a value without any is shown as it stands.
RULES = {
    "ge_5": "5 or more",
    "gt_5": "more than 5",
    "gt_4.5": "more than 4.5",
    "ge_3": "3 or more",
    "gt_3": "more than 3",
    "gt_0": "more than 0",
    "subject_mean": "more than the subject's own mean",
    "subject_median": "more than the subject's own median",
}
SCALINGS = {
    "train": "by the moments of the training subjects (train)",
    "transductive": "each subject by its own moments, test subjects too (transductive)",
}
PROTOCOLS = {
    "loso": "leave one subject out (loso)",
    "logo": "leave one group out (logo)",
    "hold_out": "hold out subjects (hold_out)",
}
MAIN_TRAINING = ("max_epochs", "batch_size", "patience", "monitor")
SEARCHED = "searched, see below"
UNITS = {"_s": " s", "_hz": " Hz"}
ROOMS = ("corpus", "task", "protocol", "scaling", "modalities", "extraction", "model", "training")


def setting_table(summary: Summary) -> Table:
    """What all clean sections share; what differs between them, or as published, stands in `own_setting`."""
    differing = _differing(_clean(summary))
    shared = _without(_settings(_clean(summary)[0]), differing) if summary.sections else {}
    card = summary.corpus
    citation = ", doi ".join(text for text in (card.get("citation", ""), card.get("doi", "")) if text)
    better = "higher" if summary.direction == "max" else "lower"
    rows = (
        ("corpus", card.get("title", "")),
        ("licence", card.get("licence", "")),
        ("citation", citation),
        ("subjects, segments", _sizes(summary)),
        ("reader", _words(shared.get("corpus", {}))),
        ("task", _task(shared.get("task", {}))),
        ("primary metric", f"{shown_name(summary.primary_metric)}, {better} is better"),
        *_protocol_rows(summary, shared),
        ("settings chosen by", _chosen_by(shared)),
        ("scaling", SCALINGS.get(shared.get("scaling", ""), str(shared.get("scaling", "")))),
        ("modalities", ", ".join(shared["modalities"]) or "all" if "modalities" in shared else ""),
        ("extraction", _words(shared.get("extraction", {}))),
        ("model", _words(shared.get("model", {}))),
        *_training_rows(summary, shared.get("training", {})),
        ("references", ", ".join(shared.get("references", ()))),
        *(
            (shown_name(key), _text(value))
            for key, value in shared.items()
            if key not in (*ROOMS, "references", "search", "selection")
        ),
        ("command", summary.timing.command),
    )
    return Table(("setting", "value"), tuple(row for row in rows if row[1]))


def with_searched(summary: Summary, keys: Sequence[str]) -> Summary:
    """The summary with "searched" in place of the settings that each outer fold chose for itself."""
    sections = [
        section.model_copy(update={"settings": _searched(section.settings, keys)})
        for section in summary.sections
    ]
    return summary.model_copy(update={"sections": tuple(sections)})


def _searched(settings: Settings, keys: Sequence[str]) -> dict[str, Any]:
    found = dict(settings)
    if "model.kind" in keys:
        found["model"] = {}  # the other settings are those of a kind that few may have chosen
    for key in keys:
        *rooms, last = key.split(".")
        place = found
        for room in rooms:
            place[room] = dict(place.get(room) or {})
            place = place[room]
        place[last] = SEARCHED
    return found


def own_setting(summary: Summary, section: Section) -> str:
    """The settings in which a section differs from others; empty where there are none."""
    clean = _clean(summary)
    mine, differing = _flat(_settings(section)), _differing(clean)
    if section not in clean:  # as published: whatever is not as in the first clean one, too
        differing |= _differing((clean[0], section))
    told = [_differs(key, value) for key, value in mine.items() if key in differing]
    return f"Setting of this section: {'; '.join(told)}." if told else ""


def _differs(name: str, value: Any) -> str:
    if name == "scaling":
        return f"scaling {SCALINGS.get(value, value)}"
    return f"{shown_name(name).replace('.', ' ')} = {_text(value)}"


def _settings(section: Section) -> dict[str, Any]:
    weights = [f"{count:,}" for count in section.n_weights]
    counted = {"weights": " to ".join(dict.fromkeys((weights[0], weights[-1])))} if weights else {}
    model = section.settings.get("model", {})
    # a name alone is a model without settings
    model = model if isinstance(model, Mapping) else {"kind": str(model)}
    return {**section.settings, "model": {**model, **counted}}


def _clean(summary: Summary) -> tuple[Section, ...]:
    """The sections that may be a result; all, where none may."""
    clean = tuple(section for section in summary.sections if section.procedure == "clean")
    return clean or summary.sections


def _differing(sections: Sequence[Section]) -> frozenset[str]:
    """Dotted names of what is not the same in some sections; a room of another kind differs as a whole."""
    flats = [_flat(_settings(section)) for section in sections]
    names = dict.fromkeys(name for flat in flats for name in flat)
    differing = {name for name in names if any(flat.get(name) != flats[0].get(name) for flat in flats)}
    # "model." where "model.kind" differs: settings of two kinds mean different things.
    kinds = tuple(name.removesuffix("kind") for name in differing if name.endswith(".kind"))
    return frozenset(differing | {name for name in names if kinds and name.startswith(kinds)})


def _flat(settings: Settings, prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        name = f"{prefix}{key}"
        # An empty mapping has no names below it and stays as a value.
        flat |= _flat(value, f"{name}.") if isinstance(value, Mapping) and value else {name: value}
    return flat


def _without(settings: Settings, names: frozenset[str], prefix: str = "") -> dict[str, Any]:
    kept = {}
    for key, value in settings.items():
        name = f"{prefix}{key}"
        if name not in names:
            kept[key] = _without(value, names, f"{name}.") if isinstance(value, Mapping) else value
    return kept


def _sizes(summary: Summary) -> str:
    if summary.n_subjects is None or summary.n_segments is None:
        return ""
    tested = len({row.subject for section in summary.sections for row in section.subjects})
    read = f"{summary.n_subjects} subjects, {summary.n_segments:,} segments"
    return read if tested == summary.n_subjects else f"{read}; {tested} subjects are tested"


def _task(task: Settings) -> str:
    if task.get("kind") == "classes" and "classes" in task:
        # [1:-1]: the codes without the brackets of a list.
        classes = ", ".join(f"{name} ({_text(codes)[1:-1]})" for name, codes in task["classes"])
        return f"classes of {task.get('column', 'label')}: {classes}"
    if task.get("kind") == "rating" and {"rating", "rule"} <= set(task):
        return f"low or high {shown_name(task['rating'])}; high is {RULES.get(task['rule'], task['rule'])}"
    if task.get("kind") == "affect" and {"theta", "pairs"} <= set(task):
        return (
            f"valence and arousal of a segment; transition: one of them differs from the segment before by "
            f"more than {task['theta']:g} (theta; {task['pairs']} pairs)"
        )
    return _words(task)


def _chosen_by(shared: Settings) -> str:
    """Who chose the settings, where nobody gave them by hand."""
    selection = shared.get("selection")
    if "search" in shared:
        return "a search inside every training side, see below"
    if not selection:
        return ""
    optimistic = "; TESTED ON THEM ALL THE SAME: optimistic" if selection["as_flat"] else "; none is tested"
    return f"sweep {selection['study']}, on the data of {len(selection['subjects'])} subjects{optimistic}"


def _protocol_rows(summary: Summary, shared: Settings) -> list[tuple[str, str]]:
    fields = {"kind": summary.protocol, **shared.get("protocol", {})}
    fields["kind"] = PROTOCOLS.get(fields["kind"], fields["kind"])
    share = fields.pop("validation_share", None)
    if fields.get("n_subjects") is None:
        fields.pop("choice", None)  # of a part of the subjects
    validation = "" if share is None else f"{100 * share:g} % of the training subjects"
    if "search" in shared:
        validation = "nobody: epochs and thresholds come from the search"
    return [("protocol", _words(fields)), ("validation", validation)]


def _training_rows(summary: Summary, training: Settings) -> list[tuple[str, str]]:
    # The main settings first, then the others in their own order.
    fields = {key: training[key] for key in (*MAIN_TRAINING, *training) if key in training}
    if "monitor" in fields:
        monitor = fields["monitor"]
        fields["monitor"] = shown_name(summary.primary_metric if monitor == "primary" else monitor)
    optimizer = dict(fields.pop("optimizer", {}))
    if optimizer.get("kind") != "sgd":
        optimizer.pop("momentum", None)  # the others do not read it
    if fields.get("augmentation", {}).get("ratio") == 0:
        fields["augmentation"] = "none"  # its other numbers are not read
    main = {key: value for key, value in fields.items() if key in MAIN_TRAINING}
    others = {key: value for key, value in fields.items() if key not in MAIN_TRAINING}
    return [("training", _words(main)), ("optimizer", _words(optimizer)), ("other training", _words(others))]


def _words(settings: Settings) -> str:
    """``adam: learning rate = 0.003, weight decay = 0``; what is not set is left out."""
    if settings.get("kind") == "none":
        return "none"  # the other fields are of the kinds that do something
    told = [_named(key, value) for key, value in settings.items() if key != "kind" and not _is_unset(value)]
    kind = str(settings.get("kind", ""))
    return f"{kind}: {', '.join(told)}" if kind and told else kind or ", ".join(told)


def _named(key: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{shown_name(key)} ({_words(value)})"
    for ending, unit in UNITS.items():
        if key.endswith(ending):
            return f"{shown_name(key.removesuffix(ending))} = {_text(value)}{unit}"
    return f"{shown_name(key)} = {_text(value)}"


def _is_unset(value: Any) -> bool:
    return value is None or (isinstance(value, Sequence | Mapping) and len(value) == 0)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_text, value))}]"
    # folders of one machine say nothing to a reader
    for path in (PurePosixPath(str(value)), PureWindowsPath(str(value))):
        if path.is_absolute():
            return path.name
    return "not set" if value is None else str(value)
