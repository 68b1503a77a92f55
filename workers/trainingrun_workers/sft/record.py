"""The training's progress, as it is reported and as it stands in the stage's `metrics.jsonl`."""

import logging
import math
import time
from typing import Any, Final

from trainingrun_workers.claim import Claim
from trainingrun_workers.launched import LaunchedRank
from trainingrun_workers.pretrain.curve import Curve, read

SMOOTHING: Final = 0.2  # of the newest interval in the speed that is shown
REWARDS: Final = {"rewardAccuracy": "rewards/accuracies", "rewardMargin": "rewards/margins"}
_SEEN: Final = "num_tokens"  # of TRL's trainer, since its process began
LOGGER: Final = logging.getLogger(__name__)


class Record:
    """Takes what Axolotl's trainer logs; for rank 0, from `step` on.

    A line of the curve has the keys of `pretrain.curve`; its tokens are all that the model has seen, padding as well,
    and trainedTokens those with a label. Training on pairs of answers has the keys of `REWARDS` instead of the latter:
    the share of pairs in which the chosen answer has the higher reward, and by how much.
    """

    def __init__(self, rank: LaunchedRank, claim: Claim, step: int, total: int) -> None:
        self.curve = Curve(claim, step)
        before = next(iter(read(claim.folder)[-1:]), {})  # the last line that the curve has kept
        self.tokens = self._before = int(before.get("tokens", 0))
        self.trained_tokens = int(before.get("trainedTokens", 0))
        self.rewards: dict[str, float | None] = {key: before[key] for key in REWARDS if key in before}
        self._rank = rank
        self._total = total
        self._speed = 0.0
        self._step_seconds = 0.0
        self._last: tuple[float, int, int] | None = None  # time, step and tokens of the line before
        rank.report(now=True, step=step, total=total, activity="training")

    def add(self, step: int, logs: dict[str, Any]) -> None:
        """Take one log of the trainer; those that are of no training step are left out."""
        if "loss" not in logs:
            return
        loss, norm = float(logs["loss"]), _number(logs.get("grad_norm"))
        rate = _number(logs.get("learning_rate"))
        self._count(logs)
        self._measure(step)
        own = self.rewards or {"trainedTokens": self.trained_tokens}
        self.curve.add(
            {
                "step": step, "loss": loss, "learningRate": rate, "gradientNorm": norm, "tokens": self.tokens, **own,
                "tokensPerSecond": round(self._speed, 1), "time": round(time.time(), 3),
            }
        )  # fmt: skip
        self._rank.report(
            step=step, loss=loss, learning_rate=rate, gradient_norm=norm, tokens=self.tokens,
            tokens_per_second=self._speed, eta_seconds=(self._total - step) * self._step_seconds,
        )  # fmt: skip
        LOGGER.info(
            "step %d/%d  loss %.4f  lr %.3g  grad norm %.3g  %.0f tokens/s",
            step, self._total, loss, rate or 0.0, norm or math.nan, self._speed,
        )  # fmt: skip

    def _count(self, logs: dict[str, Any]) -> None:
        self.rewards = {key: _number(logs[name]) for key, name in REWARDS.items() if name in logs}
        self.trained_tokens = int(logs.get("tokens/trainable", self.trained_tokens))
        if _SEEN in logs:
            self.tokens = self._before + int(float(logs[_SEEN]))
        else:
            self.tokens = int(logs.get("tokens/total", self.tokens))

    def _measure(self, step: int) -> None:
        now = time.monotonic()
        then, before, tokens = self._last or (now, step, self.tokens)  # the first step has the start-up in it
        if now > then and step > before:
            self._speed = _smoothed(self._speed, (self.tokens - tokens) / (now - then))
            self._step_seconds = _smoothed(self._step_seconds, (now - then) / (step - before))
        self._last = (now, step, self.tokens)


def _smoothed(value: float, newest: float) -> float:
    return value + SMOOTHING * (newest - value) if value else newest


def _number(value: Any) -> float | None:
    number = None if value is None else float(value)
    return number if number is not None and math.isfinite(number) else None
