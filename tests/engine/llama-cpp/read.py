"""What llama.cpp makes of a GGUF file, by the xllamacpp package: `read.py FILE`, with a list of texts as its input.

Prints {"tokens": [ids of each text], "next": [the most likely next token's text after each], "version"} as JSON.
"""

import json
import sys
import urllib.request
from typing import Any

import xllamacpp


def main(file: str, texts: list[str]) -> dict[str, Any]:
    """Load the file, and ask its server for tokens and for one token more."""
    params = xllamacpp.CommonParams()
    params.model.path = file
    params.n_ctx = 256
    params.n_parallel = 1
    params.warmup = False
    params.cpuparams.n_threads = 1
    server = xllamacpp.Server(params)

    def tokens(text: str) -> list[int]:
        body = json.dumps({"content": text, "add_special": False}).encode()
        request = urllib.request.Request(
            f"{server.listening_address}/tokenize", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return list(json.load(answer)["tokens"])

    def follows(text: str) -> str:
        asked = {"prompt": text, "max_tokens": 1, "temperature": 0.0, "cache_prompt": False}
        return str(server.handle_completions(asked)["choices"][0]["text"])

    return {
        "tokens": [tokens(text) for text in texts],
        "next": [follows(text) for text in texts],
        "version": xllamacpp.__version__,
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], json.load(sys.stdin))))
