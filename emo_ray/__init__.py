"""emo_ray: leave-one-subject-out evaluation and sweeps for emotion recognition, honest, fast and unbreakable."""

__version__ = "0.1.0"
