"""STAGES: what each stage of a run needs, as objects to apply."""
