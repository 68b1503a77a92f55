"""The tokenize stage: an Indexed Job that turns every source into a folder of tokens."""

from collections.abc import Iterable

from trainingrun.api.base import quantity
from trainingrun.api.data import DataSource, Resources
from trainingrun.api.rule_checks import ADDRESSES
from trainingrun.manifests.pod import container_resources
from trainingrun.stages.context import Context, Need
from trainingrun.stages.instances import Instance
from trainingrun.stages.layout import token_folders
from trainingrun.stages.settings import Settings
from trainingrun.stages.translated import volume_path
from trainingrun_workers.contract import TokenizeSpec, TokenSource


def need(context: Context, _: Instance, __: tuple[int, ...]) -> Need:
    """Every source with its folder; as many pods as the run asks for, but no more than there can be units."""
    run = context.run.spec
    folders = token_folders(context.run, context.translated)
    sources = tuple(_source(one, folders[one.name]) for one in run.data)
    pods = min(run.tokenize.parallelism, run.tokenize.shards * len(sources))
    spec = TokenizeSpec(
        tokenizer=volume_path(run.tokenizer.path),
        token_bytes=context.translated.pretrain.token_bytes,
        vocab_size=context.translated.pretrain.vocab_size,
        shards=run.tokenize.shards,
        pods=pods,
        claim_bytes=context.claim_bytes,
        sources=sources,
        threads=_threads(run.tokenize.resources, context.settings),
        end_of_text=_end_of_text(context),
    )
    return Need(spec=spec, placement=run.tokenize, pods=pods, secrets=_secrets(run.data))


def _threads(own: Resources, settings: Settings) -> int:
    """The whole CPUs that a pod asks for, at least 1: on what it may borrow besides others have a claim."""
    asked = container_resources(own, settings.default_resources)
    # As Kubernetes has it: what is limited and not requested is requested at its limit.
    return max(1, int(quantity(asked["requests"].get("cpu") or asked["limits"].get("cpu") or "0")))


def _end_of_text(context: Context) -> int | None:
    """The id at which the model keeps documents apart, where it does."""
    if context.run.spec.pretrain.engine != "torch":
        return None
    model = context.translated.pretrain.config["model"]["model_config"]
    return int(model["eos_token_id"]) if model.get("_use_doc_masking") else None


def _source(source: DataSource, folder: str) -> TokenSource:
    score = source.language_score
    return TokenSource(
        name=source.name,
        path=volume_path(source.path),
        glob=source.glob,
        text_key=source.text_key,
        weight=source.weight,
        folder=folder,
        limit=source.limit,
        score_key=score.key if score is not None else None,
        min_score=score.min if score is not None else None,
    )


def _secrets(sources: Iterable[DataSource]) -> tuple[str, ...]:
    """Names of the Secrets that the pods need for what lies elsewhere."""
    return tuple(sorted({one.secret_name for one in sources if one.secret_name and one.path.startswith(ADDRESSES)}))
