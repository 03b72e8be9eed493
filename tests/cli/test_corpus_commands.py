"""`emo-ray synthesize` and `emo-ray inspect`, as they are typed."""

import pytest

from emo_ray.cli.inspect import missing_lines
from emo_ray.cli.main import main
from emo_ray.cli.settings import SMOKE_SUBJECTS
from emo_ray.cli.synthesize import SMALL_SUBJECTS
from emo_ray.corpora.survey import SignalSurvey, SubjectSurvey
from emo_ray.testing.eegmat_files import EegmatFiles


def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("made") / "ppb"
    assert run("synthesize", "ppb_emo", place, "--small", "--subjects", 2, "left_out=0") == 0
    return place


def test_synthesized_files_say_that_they_are(folder):
    assert "nobody's data" in (folder / "synthetic.txt").read_text()
    assert len(list(folder.rglob("*.csv"))) == 14


def test_inspect_recognises_counts_and_draws(folder, tmp_path, capsys):
    assert run("inspect", folder, "--page", tmp_path / "page.html") == 0
    shown = capsys.readouterr().out
    assert "ppb_emo: 2 subjects, 14 trials in up to 1 session each, 0 trials rejected" in shown
    assert "2 of the 40 subjects of the release" in shown
    page = (tmp_path / "page.html").read_text()
    assert "data:image/png;base64," in page
    assert "PPB-Emo" in page


def test_a_field_of_the_corpus_changes_what_is_read(folder, tmp_path, capsys):
    assert run("inspect", folder, "content=bands", "--page", tmp_path / "page.html") == 0
    assert "bands" in capsys.readouterr().out


def test_a_broken_file_is_a_problem_of_its_subject_and_the_others_are_shown(tmp_path, capsys):
    EegmatFiles.small(n_subjects=2).write(tmp_path / "files")
    (tmp_path / "files" / "edf_128hz" / "Subject01_2.edf").write_bytes(b"\0" * 100)
    assert run("inspect", tmp_path / "files", "--page", tmp_path / "page.html") == 3
    shown = capsys.readouterr().out
    assert "PROBLEM  eegmat/Subject01 can not be read" in shown
    assert "2 trials" in shown


def test_an_unknown_corpus_gets_a_suggestion(tmp_path, capsys):
    assert run("synthesize", "amigo", tmp_path / "x") == 1
    assert "did you mean" in capsys.readouterr().err


def test_a_field_that_the_writer_does_not_have_is_refused(tmp_path, capsys):
    assert run("synthesize", "ppb_emo", tmp_path / "x", "trial=3") == 1
    assert "trial_s" in capsys.readouterr().err


def test_files_are_never_written_beside_others(folder, capsys):
    assert run("synthesize", "ppb_emo", folder, "--small") == 1
    assert "is not an empty folder" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_named(tmp_path, capsys):
    assert run("inspect", tmp_path / "nowhere") == 1
    assert "nowhere does not exist" in capsys.readouterr().err


def test_small_files_are_of_as_many_people_as_a_smoke_run_takes():
    assert SMALL_SUBJECTS >= SMOKE_SUBJECTS


def test_missing_samples_are_counted_by_channel_over_all_subjects_the_worst_first():
    def survey(name, missing_in):
        signals = {
            "eeg": SignalSurvey(9, 128.0, "uV", 60.0, 1, 0.1, missing_in),
            "ecg": SignalSurvey(1, 1.0, "uV", 1.0, 1, 0.0),
        }
        return SubjectSurvey(name, signals=signals)

    others = {f"C{k}": 1 for k in range(1, 8)}
    people = [survey("a", {"Fp1": 2, "Fz": 30}), survey("b", {"Fp1": 3} | others)]
    (line,) = missing_lines(people)
    assert line.startswith("samples missing in eeg: Fz 30, Fp1 5, C1 1")
    assert line.endswith("and 1 more")
