"""NOUNS: the resource, its rules and everything generated from it."""
