"""What the report's run costs at a share of its GPUs' peak: `make report-cost`.

Arithmetic, no measurement: 10^12 tokens by the model's cost a token, as nanotron counts it, over 64 A100s. The share
that an engine reaches comes from `make bench-pretrain` on a GPU; where none was in reach, the shares are only assumed.
"""

import argparse
from typing import Final

import documented
from bench.markdown import table
from bench.pretraining import REPORTS
from trainingrun_workers.pretrain.flops import TokenCost

MARK: Final = "report-cost"
TOKENS: Final = 1e12
GPUS: Final = 64
PEAK: Final = 312e12  # of an A100 in bfloat16, dense: NVIDIA's data sheet
LOGGED: Final = 182e3  # tokens a second of the whole run, by the report's own log
SHARES: Final = (0.20, 0.30, 0.35, 0.45)


def rows() -> list[tuple[str, ...]]:
    """The table, head first."""
    cost = TokenCost.of(REPORTS.shape, REPORTS.length)
    logged = LOGGED * cost.full / (GPUS * PEAK)
    found = [("share of peak", "tokens/s", "days", "GPU-hours", "from")]
    found.append(_row(logged, "the report's log: 182K tokens/s"))
    return found + [_row(share, "assumed") for share in SHARES]


def _row(share: float, origin: str) -> tuple[str, ...]:
    rate = share * GPUS * PEAK / TokenCost.of(REPORTS.shape, REPORTS.length).full
    hours = TOKENS / rate / 3600
    return (f"{share:.1%}", f"{rate:,.0f}", f"{hours / 24:.1f}", f"{hours * GPUS:,.0f}", origin)


def main() -> int:
    """Print and, where asked, write into the documentation."""
    parser = argparse.ArgumentParser(prog="report-cost", description="The report's run at several shares of peak.")
    parser.add_argument("--document", action="store_true", help="write the table into docs/performance.md")
    options = parser.parse_args()
    cost = TokenCost.of(REPORTS.shape, REPORTS.length)
    words = (
        f"10¹² tokens of {cost.full / 1e9:.3f} GFLOP each, attention counted in full, on {GPUS} A100s of "
        f"{PEAK / 1e12:.0f} TFLOP/s:\n\n{table(rows())}"
    )
    print(words)
    if options.document:
        documented.write(MARK, words + "\n", documented.PERFORMANCE)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
