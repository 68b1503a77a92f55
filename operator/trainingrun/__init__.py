"""trainingrun: a Kubernetes operator that trains a language model from scratch out of one manifest."""

__version__ = "0.1.0"
