"""Who may be the same person under another name."""

from emo_ray.protocols.lineage import perhaps_among


def test_a_person_is_found_again_in_a_copy_of_a_table_under_another_name():
    assert perhaps_among(["copy/s1", "copy/s9"], ["table/s1", "table/s2"]) == ("copy/s1",)


def test_people_of_other_ids_are_strangers():
    assert perhaps_among(["deap/s01"], ["amigos/P01"]) == ()
