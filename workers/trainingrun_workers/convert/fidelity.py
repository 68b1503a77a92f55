"""How near a converted model's logits are to those of the model it was made from."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.convert.origins import Logits
from trainingrun_workers.errors import BadData

SEED: Final = 20240304
# In float32 both sides differ only by the order of their sums; this share of the largest logit is far above that,
# and far below what any misplaced weight does.
FLOAT32_SHARE: Final = 1e-3


@dataclass(frozen=True)
class Fidelity:
    """Largest differences of logits over the probe, and the share of its positions with the same best token."""

    difference: float  # both sides computed in the checkpoint's own type
    float32_difference: float  # both sides computed in float32
    agreement: float
    largest_logit: float
    tokens: int
    tolerance: float  # a share of the largest logit

    @property
    def own_tolerance(self) -> float:
        """The largest difference that rounding in the checkpoint's own type is allowed."""
        return self.tolerance * max(1.0, self.largest_logit)

    @property
    def float32_tolerance(self) -> float:
        """The largest difference that the order of sums accounts for."""
        return FLOAT32_SHARE * max(1.0, self.largest_logit)

    def check(self, name: str) -> None:
        """BadData("ConversionUnfaithful") with the figures where the models differ."""
        if self.difference <= self.own_tolerance and self.float32_difference <= self.float32_tolerance:
            return
        hint = "a weight was converted wrongly or is damaged, which no retry mends."
        if self.float32_difference <= self.float32_tolerance:
            hint = "the weights are right and rounding alone exceeds the tolerance: raise spec.convert.tolerance."
        raise BadData(
            "ConversionUnfaithful",
            f"The converted model {name} differs from the checkpoint over {self.tokens} tokens: by "
            f"{self.difference:.4g} in its own type (tolerance {self.own_tolerance:.2g}), by "
            f"{self.float32_difference:.4g} in float32 (tolerance {self.float32_tolerance:.2g}), with the same best "
            f"token for {self.agreement:.1%}; {hint}",
        )

    def figures(self) -> dict[str, Any]:
        """What goes into the converted model's marker."""
        raw = asdict(self)
        return {
            "maxLogitDifference": raw["difference"],
            "maxLogitDifferenceFloat32": raw["float32_difference"],
            "argmaxAgreement": raw["agreement"],
            "largestLogit": raw["largest_logit"],
            "probeTokens": raw["tokens"],
            "tolerance": raw["tolerance"],
        }


def compare(reference: Logits, folder: Path, dtype: Any, probe: Any, tolerance: float) -> Fidelity:
    """Run the [1, n] tensor of ids `probe` through both models; `folder` is read as any user would read it."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(str(folder), local_files_only=True, dtype="auto").eval()
    model = model.to(reference.device)
    ids = probe.to(reference.device)
    with torch.no_grad():
        own = model(input_ids=ids).logits[0].float().cpu()
        wide = model.to(torch.float32)(input_ids=ids).logits[0].cpu()
    expected, expected_wide = reference.logits(probe, dtype), reference.logits(probe, torch.float32)
    return Fidelity(
        difference=_largest(own - expected),
        float32_difference=_largest(wide - expected_wide),
        agreement=(own.argmax(-1) == expected.argmax(-1)).float().mean().item(),
        largest_logit=_largest(expected_wide),
        tokens=probe.shape[1],
        tolerance=tolerance,
    )


def probe_tokens(vocabulary: int, count: int) -> Any:
    """A [1, count] tensor of ids below `vocabulary`, always the same."""
    import torch

    return torch.randint(vocabulary, (1, count), generator=torch.Generator().manual_seed(SEED))


def _largest(values: Any) -> float:
    # NaN would pass every comparison with a tolerance.
    return float(values.abs().nan_to_num(nan=float("inf")).max())
