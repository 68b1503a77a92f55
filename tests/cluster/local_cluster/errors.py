"""The one exception of this package."""


class ClusterError(Exception):
    """Something the user must know: one sentence with what happened, where, and what to do."""
