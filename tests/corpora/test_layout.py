import re
from pathlib import Path

import pytest

from emo_ray.corpora.empatica import EmpaticaFolders
from emo_ray.corpora.feature_table import FeatureTable
from emo_ray.corpora.layout import read_layout
from emo_ray.corpora.registry import CORPORA
from emo_ray.errors import ConfigError
from emo_ray.extraction.registry import DEFAULT_EXTRACTIONS, default_extraction

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "your_own_data.md"
LAYOUTS = sorted((ROOT / "docs" / "layouts").glob("*.yaml"))
SHARED = ROOT.parent / "shared" / "data"


@pytest.fixture
def layout(tmp_path):
    def write(text):
        path = tmp_path / "layout.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def problems(path):
    with pytest.raises(ConfigError) as error:
        read_layout(path)
    assert str(path) in str(error.value)
    return str(error.value)


def with_own_path(example, own):
    """The example as a reader completes it: its placeholder replaced by a path of their own."""
    text, n_replaced = re.subn(r"(?m)^path: /path/to/\S+ +# set this to your f\w+$", f"path: {own}", example)
    assert n_replaced == 1
    return text


@pytest.mark.parametrize("path", LAYOUTS, ids=lambda path: path.stem)
def test_every_example_layout_loads_with_a_path_of_ones_own(path, layout, tmp_path):
    corpus = read_layout(layout(with_own_path(path.read_text(encoding="utf-8"), tmp_path / "own")))
    assert corpus.path == tmp_path / "own"
    assert (
        default_extraction(corpus).kind
        == {"empatica": "wrist_windows", "feature_table": "table_rows"}[corpus.kind]
    )


def test_there_are_examples_of_both_layouts():
    assert {type(read_layout(path)) for path in LAYOUTS} == {EmpaticaFolders, FeatureTable}


def test_the_commands_in_the_page_on_own_data_name_jobs_that_exist():
    commands = re.findall(r"python (\S+) --data (\S+?)[`\s]", PAGE.read_text(encoding="utf-8"))
    assert {job for job, _ in commands} == {"jobs/loso_table.py", "jobs/loso_wesad.py"}
    assert all((ROOT / job).is_file() for job, _ in commands)
    assert {data for _, data in commands} == {"table.csv", "my_table.yaml", "my_lab.yaml"}  # the reader's own


def test_the_page_on_own_data_links_every_example_and_none_else():
    links = re.findall(r"\]\((layouts/[^)]*)\)", PAGE.read_text(encoding="utf-8"))
    assert sorted(links) == [f"layouts/{path.name}" for path in LAYOUTS]


def test_labels_in_quotes_stay_texts(layout):
    (quoted,) = re.findall(r"`keep_labels` .*`(\[.*?\])`", PAGE.read_text(encoding="utf-8"))
    assert read_layout(layout(f"kind: empatica\npath: x\nkeep_labels: {quoted}\n")).keep_labels == (
        "no",
        "yes",
    )


@pytest.mark.skipif(not SHARED.exists(), reason="the shared data are not here")
@pytest.mark.parametrize(
    ("name", "file", "n_subjects"),
    [("stress_predict", "", 35), ("wesad_features", "wesad_features_30s.csv", 15)],
)
def test_example_layouts_fit_the_real_data(name, file, n_subjects, layout):
    example = (ROOT / "docs" / "layouts" / f"{name}.yaml").read_text(encoding="utf-8")
    corpus = read_layout(layout(with_own_path(example, SHARED / name / file)))
    assert len(corpus.find_subjects()) == n_subjects
    assert [head.classes for head in next(iter(corpus.tasks().values())).heads] == [("rest", "stress")]


def test_a_relative_path_starts_from_the_folder_of_the_layout(layout, tmp_path):
    assert read_layout(layout("kind: feature_table\npath: sub/t.csv\n")).path == tmp_path / "sub" / "t.csv"
    assert read_layout(layout("kind: feature_table\npath: /data/t.csv\n")).path == Path("/data/t.csv")


def test_all_problems_of_a_layout_come_at_once(layout):
    text = "kind: empatica\npth: x\nlabels:\n  strat: t0\n  clock: sundial\nlabel_tasks:\n  a: [1]\n"
    told = problems(layout(text))
    for words in (
        "path: is missing (folder or file of the corpus)",
        "pth: unknown key, did you mean 'path'?",
        "labels.strat: unknown key, did you mean 'start'?",
        "labels.clock: input should be 'seconds' or 'unix' (it is 'sundial')",
        "label_tasks.a: ",
    ):
        assert words in told


def test_an_unknown_kind_gets_a_suggestion(layout):
    assert "did you mean 'feature_table'?" in problems(layout("kind: feature_tabel\npath: x\n"))
    assert "kind is missing" in problems(layout("path: x\n"))


@pytest.mark.parametrize(
    "text", ["", "just words", "- a\n- b", "a: [1", "1: 2\nkind: amigos", "a: 2024-13-45", "\t"]
)
def test_what_is_no_layout_is_refused(layout, text):
    assert problems(layout(text))


def test_a_layout_can_not_make_objects(layout):
    assert "no YAML" in problems(layout("kind: !!python/object/apply:os.getcwd []\n"))


def test_a_missing_layout_is_named(tmp_path):
    assert "No such file" in problems(tmp_path / "nothing.yaml")


def test_every_corpus_has_a_default_extraction():
    assert set(DEFAULT_EXTRACTIONS) == set(CORPORA)
    assert all(corpus.model_fields["kind"].default == kind for kind, corpus in CORPORA.items())


def test_the_layouts_in_the_page_on_own_data_load(layout):
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert [read_layout(layout(block)).kind for block in blocks] == ["feature_table", "empatica"]


def test_labels_that_yaml_takes_for_truth_values_are_refused_with_the_way_out(tmp_path):
    layout = tmp_path / "lab.yaml"
    layout.write_text("kind: empatica\npath: .\nkeep_labels: [no, yes]\n")
    with pytest.raises(ConfigError, match="put such labels in quotes"):
        read_layout(layout)
