"""A short look at the real gang before each attempt: what each rank can do, and which node lets the others down."""
