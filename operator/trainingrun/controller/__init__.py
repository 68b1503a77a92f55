"""KOPF: the only code that knows kopf, and the process around it."""
