"""The tokenize stage: an Indexed Job that turns every source into a folder of tokens."""

from trainingrun.stages.context import Context, Need
from trainingrun.stages.instances import Instance
from trainingrun.stages.layout import token_folders
from trainingrun.stages.translated import volume_path
from trainingrun_workers.contract import TokenizeSpec, TokenSource


def need(context: Context, _: Instance, __: tuple[int, ...]) -> Need:
    """Every source with its folder; as many pods as the run asks for, but no more than there are shards."""
    run = context.run.spec
    folders = token_folders(context.run, context.translated)
    sources = tuple(
        TokenSource(
            name=source.name,
            path=volume_path(source.path),
            glob=source.glob,
            text_key=source.text_key,
            weight=source.weight,
            folder=folders[source.name],
            limit=source.limit,
        )
        for source in run.data
    )
    pods = min(run.tokenize.parallelism, run.tokenize.shards * len(sources))
    spec = TokenizeSpec(
        tokenizer=volume_path(run.tokenizer.path),
        token_bytes=context.translated.pretrain.token_bytes,
        vocab_size=context.translated.pretrain.vocab_size,
        shards=run.tokenize.shards,
        pods=pods,
        claim_bytes=context.claim_bytes,
        sources=sources,
    )
    return Need(spec=spec, placement=run.tokenize, pods=pods)
