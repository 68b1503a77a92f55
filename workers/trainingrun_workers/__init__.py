"""What runs in the containers: one module a stage, each around the engine that does the work."""

__version__ = "0.1.0"
