"""emo_ray: honest, fast and unbreakable evaluation of emotion recognition on unseen people."""

from emo_ray.provenance import VERSION

__version__ = VERSION
