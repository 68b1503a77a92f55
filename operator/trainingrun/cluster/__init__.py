"""I/O: the only code that talks to the API server."""
