"""Search spaces of the models: the published rows, and several models in one."""

import random

import pytest

from emo_ray.errors import ConfigError
from emo_ray.models.amigos_lstm import AmigosLstmConfig
from emo_ray.models.base import ModelConfig
from emo_ray.models.mlp import MlpConfig
from emo_ray.models.phy_fusionnet import PhyFusionNetConfig
from emo_ray.models.registry import MODELS
from emo_ray.models.search_space import space_over
from emo_ray.space import Choice, Integer, LogUniform, SearchSpace, Uniform

RATE = "training.optimizer.learning_rate"
BATCH = "training.batch_size"


def model_of(kind_name, **dimensions):
    """A model that searches these dimensions."""

    class Searched(ModelConfig):
        kind: str = kind_name

        def build(self, shape):
            raise NotImplementedError

        @classmethod
        def search_space(cls):
            return SearchSpace(dimensions={key.replace("__", "."): d for key, d in dimensions.items()})

    return Searched()


def test_amigos_is_searched_over_the_row_of_its_reference():
    # variant, width_mult, lr, l2, dropout, rnn_dropout, batch, lambda_t, bidir, pool, context, clip
    assert AmigosLstmConfig.search_space().dimensions == {
        "model.variant": Choice(choices=("lightweight", "moderate", "loso", "maximum")),
        "model.width_mult": Uniform(low=0.5, high=2),
        RATE: LogUniform(low=1e-4, high=3e-3),
        "model.l2": LogUniform(low=1e-6, high=1e-2),
        "model.dropout": Uniform(low=0, high=0.6),
        "model.input_dropout": Uniform(low=0, high=0.4),
        BATCH: Choice(choices=(32, 64, 128)),
        "training.loss.event_weight": LogUniform(low=0.1, high=30),
        "model.bidirectional": Choice(choices=(False, True)),
        "model.pool": Choice(choices=("last", "mean", "attention")),
        "model.context": Choice(choices=(0, 1, 2)),
        "training.clip_norm": Uniform(low=0.5, high=5),
    }


@pytest.mark.parametrize("config", MODELS.values(), ids=MODELS.keys())
def test_every_model_has_something_to_search_of_its_own_and_of_training(config):
    rooms = {key.split(".")[0] for key in config.search_space().dimensions}
    assert rooms == {"model", "training"}


@pytest.mark.parametrize("config", MODELS.values(), ids=MODELS.keys())
def test_the_searched_settings_of_a_model_are_fields_of_it(config):
    keys = {key.split(".")[1] for key in config.search_space().dimensions if key.startswith("model.")}
    assert keys <= set(config.model_fields)


@pytest.mark.parametrize("config", MODELS.values(), ids=MODELS.keys())
def test_searched_settings_of_a_model_go_together(config):
    searched = config.search_space().dimensions
    offers = {key: dimension.examples() for key, dimension in searched.items() if key.startswith("model.")}
    draw = random.Random(0)
    for _ in range(300):
        config(**{key.removeprefix("model."): draw.choice(values) for key, values in offers.items()})


def test_phy_fusionnet_is_searched_over_the_ways_with_unequal_classes():
    dimensions = PhyFusionNetConfig.search_space().dimensions
    assert dimensions["training.loss.balance_classes"] == Choice(choices=(False, True))
    assert dimensions["training.sampling.classes"] == Choice(choices=("none", "balanced"))


def test_one_model_alone_has_its_own_space():
    assert space_over([MlpConfig(), MlpConfig(hidden=())]) == MlpConfig.search_space()


def test_settings_of_one_model_count_where_it_is_chosen():
    dimensions = space_over([AmigosLstmConfig(), MlpConfig()]).dimensions
    assert dimensions["model.kind"] == Choice(choices=("amigos_lstm", "mlp"))
    assert dimensions["model.hidden"].when == {"model.kind": ("mlp",)}
    assert dimensions["model.pool"].when == {"model.kind": ("amigos_lstm",)}
    assert dimensions["training.optimizer.weight_decay"].when == {"model.kind": ("mlp",)}


def test_settings_of_all_models_are_searched_once():
    dimensions = space_over([AmigosLstmConfig(), MlpConfig()]).dimensions
    assert dimensions["model.dropout"] == Uniform(low=0, high=0.6)
    assert dimensions[BATCH] == Choice(choices=(32, 64, 128))


def test_a_shared_setting_has_the_widest_range_or_all_choices():
    one = model_of("one", training__lr=LogUniform(low=1e-4, high=1e-2), training__n=Choice(choices=(8, 16)))
    two = model_of("two", training__lr=LogUniform(low=1e-3, high=1e-1), training__n=Choice(choices=(16, 4)))
    dimensions = space_over([one, two]).dimensions
    assert dimensions["training.lr"] == LogUniform(low=1e-4, high=1e-1)
    assert dimensions["training.n"] == Choice(choices=(8, 16, 4))


def test_a_setting_of_some_models_counts_where_one_of_them_is_chosen():
    shared = Uniform(low=0.0, high=1.0)
    three = [model_of("a", model__x=shared), model_of("b", model__x=shared), model_of("c", model__y=shared)]
    assert space_over(three).dimensions["model.x"].when == {"model.kind": ("a", "b")}


def test_conditions_inside_a_model_stay():
    pair = {
        "model__norm": Choice(choices=("bn", "ln")),
        "model__eps": Uniform(low=0, high=1, when={"model.norm": "ln"}),
    }
    space = space_over([model_of("a", **pair), model_of("b", training__n=Choice(choices=(1, 2)))])
    assert space.dimensions["model.eps"].when == {"model.norm": ("ln",), "model.kind": ("a",)}


@pytest.mark.parametrize("other", [Integer(low=1, high=9), LogUniform(low=1.0, high=2.0)])
def test_settings_that_can_not_be_joined_are_refused(other):
    models = [model_of("a", training__n=Uniform(low=1.0, high=2.0)), model_of("b", training__n=other)]
    with pytest.raises(ConfigError, match=r"training.n: the models search it .* \(a: uniform, b: "):
        space_over(models)


def test_no_model_has_no_space():
    with pytest.raises(ConfigError, match="needs at least one"):
        space_over([])
