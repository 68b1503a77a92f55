"""How the quickstart's data are made: one module a source or a product, put in order by ../make.py."""
