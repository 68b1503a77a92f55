"""A real browser for tests: Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

VARIABLE = "TRAININGRUN_CHROMIUM"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = (
    "There is no Chromium: install one, for example by `apt-get install chromium` or `.venv/bin/playwright install "
    f"chromium`, or name one in {VARIABLE}."
)
SHOTS = "TRAININGRUN_SCREENSHOTS"  # names a folder for pictures to look at


def chromium(playwright: Any) -> str | None:
    """The program: the one that is named, the machine's own, or Playwright's."""
    named = [os.environ.get(VARIABLE), *(shutil.which(one) for one in PROGRAMS), playwright.chromium.executable_path]
    return next((one for one in named if one and Path(one).is_file()), None)


class BrowserMissingError(RuntimeError):
    """There is no Chromium on this machine."""


@contextmanager
def launched() -> Iterator[Any]:
    """A running browser; BrowserMissingError where there is none."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        program = chromium(playwright)
        if program is None:
            raise BrowserMissingError(MISSING)
        # Its sandbox wants rights that containers lack; it sees nothing but the tests' own pages.
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield started
        finally:
            started.close()


@contextmanager
def browser() -> Iterator[Any]:
    """A running browser; the test is skipped, with its reason, where there is none."""
    with ExitStack() as stack:
        try:
            started = stack.enter_context(launched())
        except BrowserMissingError as error:
            pytest.skip(str(error))
        yield started


class Watched:
    """A page whose errors are remembered, among them all that its Content-Security-Policy refuses."""

    def __init__(self, started: Any, address: str, width: int, scheme: str = "light") -> None:
        """Open an address in a window of `width` pixels."""
        self.errors: list[str] = []
        self.context = started.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page = self.context.new_page()
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(address)

    def text(self, selector: str) -> str:
        """The visible text of the first element that is found."""
        return str(self.page.locator(selector).first.inner_text())

    def too_wide(self) -> int:
        """How many pixels the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))

    def outside(self) -> list[str]:
        """What reaches beyond the window and can't be scrolled to: the texts of such elements."""
        return list(
            self.page.evaluate(
                """() => [...document.querySelectorAll('main *')].filter((one) => {
                  const box = one.getBoundingClientRect();
                  const scrolled = one.closest('.wide, pre, .lane');
                  return box.width && !scrolled && (box.right > innerWidth + 1 || box.left < -1);
                }).map((one) => `${one.tagName} ${one.textContent.slice(0, 40)}`)"""
            )
        )

    def shot(self, name: str) -> None:
        """A picture of the whole page, where somebody wants to look at it."""
        folder = os.environ.get(SHOTS)
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)

    def close(self) -> None:
        """Close the window."""
        self.context.close()
