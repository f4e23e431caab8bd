"""Many samples in three figures, because one machine is never quiet."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The median of some samples and where the middle eight tenths of them lie."""

    median: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, samples: Sequence[float]) -> "Spread":
        """Sum up at least one sample."""
        if len(samples) == 1:
            return cls(median=samples[0], low=samples[0], high=samples[0], count=1)
        tenths = quantiles(samples, n=10, method="inclusive")
        return cls(median=median(samples), low=tenths[0], high=tenths[-1], count=len(samples))

    def __str__(self) -> str:
        """Print as `1.02 (0.98-1.07)`."""
        return f"{self.median:.2f} ({self.low:.2f}-{self.high:.2f})"


def percentile(samples: Sequence[float], hundredth: int) -> float:
    """Return the value that `hundredth` percent of at least one sample do not exceed."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, len(ordered) * hundredth // 100)]
