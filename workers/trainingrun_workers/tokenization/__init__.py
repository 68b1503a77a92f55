"""The tokenize stage: datatrove turns every source of text into a folder of token files.

What a folder holds depends on the sources, the tokenizer and the number of shards, never on how many pods work, on
how often they are killed, or on who else works at the same folder. `stage.run` is the way in.
"""
