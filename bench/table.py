"""Numbers and rows of the summary."""
import statistics


def median(values):
    return statistics.median(values)


def spread(values):
    """Half the distance from the least to the greatest, in percent of the median."""
    m = median(values)
    return 50.0 * (max(values) - min(values)) / m if m else 0.0


class Row:
    """ok: True met, False missed, None neither (printed only, or not built yet)."""

    def __init__(self, bench, work, result, target, ok, verdict=None):
        self.bench, self.work, self.result, self.target, self.ok = bench, work, result, target, ok
        self.verdict = verdict or {True: "met", False: "MISSED", None: "-"}[ok]

    def cells(self):
        return [self.bench, self.work, self.result, self.target, self.verdict]


def table(rows):
    head = ["bench", "work", "result", "target", "verdict"]
    cells = [head] + [r.cells() for r in rows]
    width = [max(len(c[i]) for c in cells) for i in range(len(head))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, width)) + " |" for line in cells]
    lines.insert(1, "| " + " | ".join("-" * w for w in width) + " |")
    return "\n".join(lines)
