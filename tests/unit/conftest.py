"""Properties look at the same examples each time, so that a failure is always of the change at hand."""

import os

from hypothesis import settings

settings.register_profile("same", derandomize=True)
if "TRAININGRUN_EXAMPLES" not in os.environ:
    settings.load_profile("same")
