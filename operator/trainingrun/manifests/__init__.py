"""KINDS: one Kubernetes kind a file; nothing else writes that kind."""
