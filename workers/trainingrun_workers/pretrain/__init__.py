"""The pretrain stage: nanotron trains the base model."""
