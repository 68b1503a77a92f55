"""The one way in which a build fails that somebody can do something about."""


class BuildError(Exception):
    """A sentence that says what failed, where, and what to do."""
