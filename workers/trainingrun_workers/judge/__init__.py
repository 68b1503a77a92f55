"""The judge stage: models answer prompts, and a judge behind an OpenAI-compatible address compares the answers.

`stage.run` is the way in.
"""
