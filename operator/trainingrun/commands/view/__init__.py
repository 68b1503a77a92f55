"""What a run looks like in a terminal: rich's renderables, made of the run and the time alone."""
