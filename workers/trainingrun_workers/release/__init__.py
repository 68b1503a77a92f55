"""The release stage: a folder that transformers loads, with its card, licence, scores, trial texts and checksums.

`stage.run` is the way in.
"""
