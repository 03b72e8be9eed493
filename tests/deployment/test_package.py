import json

import numpy as np
import pytest

from emo_ray.deployment.package import (
    MANIFEST,
    PARTS,
    package_fingerprint,
    read_package,
    write_package,
)
from emo_ray.deployment.predictor import Predictor
from emo_ray.errors import ConfigError


@pytest.fixture
def folder(package, tmp_path):
    write_package(package, tmp_path / "model")
    return tmp_path / "model"


def rewrite(folder, part, change):
    """Change a part as somebody would who also writes its checksum: nothing but its content is wrong."""
    from emo_ray.files import file_digest

    content = json.loads((folder / part).read_text())
    change(content)
    (folder / part).write_text(json.dumps(content))
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["parts"][part]["sha256"] = file_digest(folder / part)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def test_what_is_written_is_what_is_read(package, folder):
    found = read_package(folder)
    assert found.experiment.identity() == package.experiment.identity()
    assert (found.description, found.lineage) == (package.description, package.lineage)
    assert found.weights == package.weights
    np.testing.assert_array_equal(found.affine.shift["features"], package.affine.shift["features"])
    assert found.example == package.example


def test_a_package_holds_nothing_but_its_parts(folder):
    assert {path.name for path in folder.iterdir()} == {MANIFEST, *PARTS}


def test_a_model_that_standardises_people_by_themselves_has_no_scaler(own_scaling, tmp_path):
    write_package(own_scaling, tmp_path / "model")
    assert read_package(tmp_path / "model").is_transductive


@pytest.mark.parametrize("part", PARTS)
def test_a_flipped_byte_is_found(folder, part):
    data = bytearray((folder / part).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / part).write_bytes(data)
    with pytest.raises(ConfigError, match=f"{part} is not what was written"):
        read_package(folder)


def test_a_missing_part_is_told(folder):
    (folder / "weights.safetensors").unlink()
    with pytest.raises(ConfigError, match=r"weights.safetensors can not be read"):
        read_package(folder)


def test_another_format_is_refused_with_its_number(folder):
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, "format": 2}))
    with pytest.raises(ConfigError, match="format 2, and this emo_ray reads format 1"):
        read_package(folder)


def test_a_link_in_place_of_a_part_is_not_followed(folder, tmp_path):
    kept = tmp_path / "elsewhere"
    (folder / "example.json").rename(kept)
    (folder / "example.json").symlink_to(kept)
    with pytest.raises(ConfigError, match=r"example.json can not be read"):
        read_package(folder)


def test_no_other_file_can_be_named_as_a_part(folder):
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["parts"]["../../secret"] = {"sha256": "0" * 64, "n_bytes": 1}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ConfigError, match="secret"):
        read_package(folder)


@pytest.mark.parametrize("field", ["path", "ratings", "folders"])
def test_a_folder_of_the_corpus_in_a_package_is_refused(folder, field):
    rewrite(folder, "experiment.json", lambda content: content["corpus"].update({field: "/etc"}))
    with pytest.raises(ConfigError, match="names no corpus, or a folder of one"):
        read_package(folder)


def test_settings_that_ask_for_endless_memory_are_refused_before_they_get_it(folder):
    rewrite(folder, "experiment.json", lambda content: content["model"].update(hidden=[10**10]))
    with pytest.raises(ConfigError, match="weights do not belong to its settings"):
        Predictor(read_package(folder))


def test_a_billion_layers_are_refused_before_they_are_drawn(folder):
    settings = {"kind": "phy_fusionnet", "layers": 10**9}
    rewrite(folder, "experiment.json", lambda content: content.update(model=settings))
    with pytest.raises(ConfigError, match="layers is 1000000000"):
        Predictor(read_package(folder))


@pytest.mark.parametrize("text", ["[1]", "{", '"x"', "{}"])
def test_a_manifest_that_is_none_is_an_error_for_people(folder, text):
    (folder / MANIFEST).write_text(text)
    with pytest.raises(ConfigError):
        read_package(folder)


def test_no_place_of_this_machine_stands_in_a_package(folder, table):
    texts = [path.read_text() for path in folder.glob("*.json")]
    assert not any(str(folder.parent) in text for text in texts)


def test_thresholds_and_source_are_part_of_what_a_model_is():
    names = {
        package_fingerprint("f" * 32, thresholds, source)
        for thresholds, source in (({}, "study a"), ({"event": 0.4}, "study a"), ({}, "study b"))
    }
    assert len(names) == 3
