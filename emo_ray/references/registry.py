"""All references by name; a result without them beside it says nothing."""

from collections.abc import Mapping

from emo_ray.references.base import Reference
from emo_ray.references.classical import Forest, SupportVectors
from emo_ray.references.linear import Linear
from emo_ray.references.nuisance import Nuisance
from emo_ray.references.probes import PROBES
from emo_ray.references.trivial import Majority, Prior

REFERENCES: Mapping[str, Reference] = {
    "majority": Majority(),
    "prior": Prior(),
    "linear": Linear(),
    "svm": SupportVectors(),
    "forest": Forest(),
    "nuisance": Nuisance(),
    **PROBES,
}
