"""Builds the project's images where they are needed, with nothing but Python's standard library; see build.py."""
