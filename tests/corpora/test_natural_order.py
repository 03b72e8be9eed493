"""Natural order, by which subjects and labels are listed."""

from itertools import permutations

from emo_ray.corpora.natural_order import natural_key


def test_natural_order_takes_numbers_as_numbers():
    names = ["b1", "S10", "S2", "S2a", "10", "9"]
    assert sorted(names, key=natural_key) == ["9", "10", "S2", "S2a", "S10", "b1"]


def test_names_of_one_number_have_one_order_however_they_come():
    found = {tuple(sorted(names, key=natural_key)) for names in permutations(["S2", "S02", "S002"])}
    assert len(found) == 1
