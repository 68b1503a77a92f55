"""The dashboard's page in Chromium, a picture every two seconds for as long as somebody wants."""

import io
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from PIL import Image

from browser import launched
from control_plane.dashboards import dashboard

WINDOW = {"width": 1040, "height": 900}
EVERY = 2.0  # seconds, as the page looks at the cluster
SCROLL = 12  # pictures from the top to the scores


class Watcher(threading.Thread):
    """Takes pictures of a run's page in a thread of its own, beside whoever follows the run in a terminal."""

    def __init__(self, kubeconfig: Path, namespace: str, run: str) -> None:
        """Nothing is taken before `start`."""
        super().__init__(daemon=True)
        self.kubeconfig, self.place = kubeconfig, f"#/{namespace}/{run}"
        self.taken: list[tuple[float, Image.Image]] = []  # each with its seconds since the first
        self.scrolled: list[Image.Image] = []  # of the run that has ended, from the top of the page to its scores
        self.ended = threading.Event()
        self.failure: Exception | None = None

    def __enter__(self) -> Self:
        """Begin."""
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Take the last pictures and end; what went wrong in the thread is raised here."""
        self.ended.set()
        self.join(120)
        if self.failure and not error:
            raise self.failure

    def run(self) -> None:
        """The thread's own work."""
        try:
            with dashboard(self.kubeconfig) as address, launched() as browser:
                self._watch(browser.new_context(viewport=WINDOW).new_page(), address)
        except Exception as error:  # noqa: BLE001 - raised again by __exit__, in the thread that waits
            self.failure = error

    def _watch(self, page: Any, address: str) -> None:
        page.goto(f"{address}{self.place}")
        page.wait_for_selector("svg.chain", timeout=60_000)
        begun = time.monotonic()
        while not self.ended.wait(EVERY):
            self.taken.append((time.monotonic() - begun, _picture(page)))
        page.wait_for_timeout(4000)  # the last look at the cluster
        self.taken.append((time.monotonic() - begun, _picture(page)))
        far = page.evaluate("document.querySelector('#Scores').getBoundingClientRect().top") - 40
        for one in range(1, SCROLL + 1):
            page.evaluate(f"scrollTo(0, {far * _eased(one / SCROLL)})")
            self.scrolled.append(_picture(page))


def _picture(page: Any) -> Image.Image:
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def _eased(part: float) -> float:
    """Slow at first and at last."""
    return part * part * (3 - 2 * part)
