"""Whether documents end in the tokens where the model takes them to end."""

from collections.abc import Iterable

from trainingrun_workers.contract import PretrainSpec
from trainingrun_workers.errors import BadConfig
from trainingrun_workers.pretrain.token_folder import TokenFolder


def check_ends(spec: PretrainSpec, folders: Iterable[TokenFolder]) -> None:
    """BadConfig where documents are masked after an id that ends none; nothing for another engine.

    Each token file ends with a document, so that its last token is the tokenizer's end of text. Runs are refused while
    they tokenize, before anything is made; what comes here was tokenized by a release that did not look.
    """
    if spec.engine != "torch":
        return
    model = spec.config["model"]["model_config"]
    for folder in folders if model.get("_use_doc_masking") else ():
        last = folder.last_token()
        if last != model["eos_token_id"]:
            raise BadConfig(
                "EndOfTextDiffers",
                f"The model's eos_token_id is {model['eos_token_id']}, but documents in {folder.folder} end with id "
                f"{last}, so that _use_doc_masking would keep none apart: set eos_token_id in "
                f"spec.pretrain.config.model.model_config to {last}.",
            )
