"""Run the tiers of the tests one after the other and print the time of each; run by `make test`.

A tier that fails does not keep the later ones from running, so that one run tells everything.
"""

import subprocess
import sys
import time

TIERS = (
    "verify",
    "test-unit",
    "test-control-plane",
    "test-scale",
    "demo-torch",
    "demo-assert",
    "test-cluster",
    "test-chaos",
    "test-engine",
)


def main() -> int:
    """The exit code: 0 where every tier passed."""
    done: list[tuple[str, str, float]] = []
    for tier in TIERS:
        print(f"=== {tier} ===", flush=True)
        started = time.monotonic()
        code = subprocess.run(["make", tier], check=False).returncode
        done.append((tier, "passed" if code == 0 else f"FAILED ({code})", time.monotonic() - started))
        print(f"=== {tier}: {done[-1][1]} in {done[-1][2]:.0f} s ===\n", flush=True)
    print("Tier                 result        seconds")
    for tier, result, seconds in done:
        print(f"{tier:<20} {result:<13} {seconds:>7.0f}")
    failed = [tier for tier, result, _ in done if result != "passed"]
    print(
        f"Total: {sum(seconds for _, _, seconds in done):.0f} s. " + (f"Failed: {failed}" if failed else "All passed.")
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
