"""emo_ray: honest, fast and unbreakable evaluation of emotion recognition on unseen people."""

from emo_ray import provenance

__version__ = provenance.VERSION
