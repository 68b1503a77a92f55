"""KOPF: the only code that knows kopf."""
