"""How the sequences of a step are shared among ranks: a pure function of their number."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """A rank's sequences of each step."""

    offset: int  # of its first among the step's
    sequences: int
    micro_batches: int  # the same on all ranks, since they meet in each; one that has too few repeats some

    def rows(self, number: int, micro: int) -> int:
        """How many of the sequences are in a micro batch, numbered from 0; 0 where all have been."""
        return min(max(self.sequences - number * micro, 0), micro)


def share(of: int, ranks: int, rank: int, micro: int) -> Share:
    """What a rank of `ranks` has of `of` sequences in micro batches of `micro`; the first ones have one more."""
    least, more = divmod(of, ranks)
    most = least + (more > 0)
    return Share(rank * least + min(rank, more), least + (rank < more), -(-most // micro))
