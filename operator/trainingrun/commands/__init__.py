"""The work of commands that are more than a page of cli.py."""
