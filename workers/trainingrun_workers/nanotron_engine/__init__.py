"""nanotron 0.4 as a library: what lets it be imported, a trainer with our own loop around its steps, its identity.

Nothing of nanotron is edited or copied. What it needs on any machine is here; what it needs on a machine without a
GPU, and for tests and demonstrations only, is in `cpu_stand_ins`.
"""
