import pytest

from emo_ray.corpora.feature_table import FeatureTable
from emo_ray.deployment.package import SignalFacts
from emo_ray.deployment.unlabelled_table import read_unlabelled
from emo_ray.errors import CorpusError

FACTS = SignalFacts(unit="per column", channels=("hr", "eda"), sfreq=1.0)


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "new.csv"
        path.write_text(text)
        return path

    return write


def test_a_table_without_labels_gives_rows_in_the_models_order(write):
    path = write("subject,eda,hr\na,1,10\na,2,\nb,3,30\n")
    found = read_unlabelled(path, FeatureTable(path=path), FACTS)
    assert [one.subject for one in found] == ["new/a", "new/b"]
    assert found[0].signals["features"].channels == ("hr", "eda")
    assert str(found[0].signals["features"].values.tolist()) == "[[10.0, nan], [1.0, 2.0]]"


def test_a_table_of_nobody_in_particular_is_one_person(write):
    path = write("hr,eda\n10,1\n11,2\n")
    (found,) = read_unlabelled(path, FeatureTable(path=path), FACTS)
    assert (found.subject, found.session, found.trial) == ("new/person", "1", "1")


def test_a_feature_that_is_not_there_is_named(write):
    path = write("hr,ede\n10,1\n")
    with pytest.raises(CorpusError, match="lacks eda, did you mean 'ede'"):
        read_unlabelled(path, FeatureTable(path=path), FACTS)
