"""How long a rank's own work stands still for the other ranks, measured without making a device wait.

Counted is, between two marks, the time in which what computes had nothing to do but wait for a collective to end:

- the end of a backward pass, while DistributedDataParallel's last gradients are on their way;
- each `Work.wait` of torch.distributed: without GPUs every collective called from Python, FSDP2's and the agreement of
  all ranks at each step among them; on GPUs those that were started beside the computation, and then waited for;
- on GPUs, each wait of the stream that computes for another stream: that is how FSDP2 waits for its weights.

What is sent while something is computed costs nothing here, nor does what a thread that writes a checkpoint waits for.
Not counted are collectives that run on a GPU's computing stream itself (the loss's sum, norms, tensor parallelism), and
on GPUs the time in which the host alone waits.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import nn
from torch.autograd import Variable
from torch.distributed import Work

MOST: Final = 4096  # spans of an interval that are kept on a GPU, two events each; steps after them are not measured

_THREAD: Final = threading.local()  # with `left_out` where what it waits for does not count


def leave_out_this_thread() -> None:
    """Count nothing that the calling thread waits for: training goes on beside it."""
    _THREAD.left_out = True


class Waits:
    """The waits of this process' training thread; one for a process, since it changes classes of torch."""

    def __init__(self, cpu: bool) -> None:
        self._cpu = cpu
        self._stream = None if cpu else torch.cuda.current_stream()
        self._spans: list[tuple[Any, Any]] = []
        self._begun: Any = None
        self._open = False
        _wrap(Work, "wait", self._spanned)
        if not cpu:
            _wrap(torch.cuda.Stream, "wait_event", self._spanned_on_stream)

    def watch(self, model: Any) -> None:
        """Count what each backward pass through a model wrapped by DistributedDataParallel waits at its end."""
        if isinstance(model, nn.parallel.DistributedDataParallel):
            model.register_forward_hook(lambda module, given, made: self._await_backward(made))

    def start(self) -> None:
        """Begin to count, from nothing."""
        self._spans.clear()
        self._begun, self._open = self._mark(), True

    @property
    def full(self) -> bool:
        """Whether no more is to be counted before the next `start`."""
        return not self._cpu and len(self._spans) >= MOST

    def stop(self) -> Callable[[], tuple[float, float]]:
        """Count no more; yields what tells, once the device has come so far, seconds in all and of them waited."""
        self._open = False
        begun, ended, spans = self._begun, self._mark(), tuple(self._spans)
        return lambda: (self._seconds(begun, ended), sum(self._seconds(*span) for span in spans))

    def _mark(self) -> Any:
        if self._cpu:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record(self._stream)
        return event

    def _seconds(self, begun: Any, ended: Any) -> float:
        if self._cpu:
            return float(ended - begun)
        ended.synchronize()
        return float(begun.elapsed_time(ended)) / 1000

    @contextmanager
    def _span(self) -> Iterator[None]:
        begun = self._mark()
        try:
            yield
        finally:
            self._spans.append((begun, self._mark()))

    def _spanned(self, wait: Callable[..., Any], work: Any, *args: Any, **options: Any) -> Any:
        # On a GPU another stream may be current, FSDP2's for example, whose waiting holds nothing up.
        here = not getattr(_THREAD, "left_out", False) and (self._cpu or torch.cuda.current_stream() == self._stream)
        if not self._open or not here:
            return wait(work, *args, **options)
        with self._span():
            return wait(work, *args, **options)

    def _spanned_on_stream(self, wait: Callable[..., Any], stream: Any, event: Any) -> Any:
        if not self._open or getattr(_THREAD, "left_out", False) or stream != self._stream:
            return wait(stream, event)
        with self._span():
            return wait(stream, event)

    def _await_backward(self, made: Any) -> None:
        for one in made.values() if isinstance(made, dict) else (made,):
            if isinstance(one, torch.Tensor) and one.requires_grad:
                one.register_hook(lambda gradient: self._backward_begins())

    def _backward_begins(self) -> None:
        # The engine calls what is queued in its order: this before DistributedDataParallel's own end, which is queued
        # when the last gradients are there, and what is queued by it after that.
        if self._open:
            Variable._execution_engine.queue_callback(self._gradients_computed)

    def _gradients_computed(self) -> None:
        begun = self._mark()
        Variable._execution_engine.queue_callback(lambda: self._spans.append((begun, self._mark())))


def _wrap(owner: Any, name: str, around: Callable[..., Any]) -> None:
    original = getattr(owner, name)
    setattr(owner, name, lambda one, *args, **options: around(original, one, *args, **options))
