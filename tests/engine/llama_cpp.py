"""Loads a GGUF file with llama.cpp itself, as the xllamacpp package has it, and prints what it makes of some texts.

`llama_cpp.py FILE TOKENS PROMPT…` prints a JSON list of the greedy continuation of each prompt.
"""

import json
import sys

import xllamacpp


def main(file: str, tokens: str, *prompts: str) -> None:
    """Continue each prompt by so many tokens at most, always by the most likely one."""
    params = xllamacpp.CommonParams()
    params.model.path = file
    params.n_ctx = 256
    params.n_parallel = 1
    params.warmup = False
    params.cpuparams.n_threads = 1
    server = xllamacpp.Server(params)
    answers = []
    for prompt in prompts:
        asked = {"prompt": prompt, "max_tokens": int(tokens), "temperature": 0.0, "cache_prompt": False}
        answer = server.handle_completions(asked)
        answers.append(answer["choices"][0]["text"])
    print(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
