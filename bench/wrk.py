"""wrk (Debian's package), and what it says."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

MILLISECONDS = {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}


@dataclass(frozen=True)
class Measured:
    """What wrk found: requests a second, and milliseconds."""

    throughput: float
    p50: float
    p99: float
    failed: bool

    @property
    def times(self) -> str:
        """The two times, to be shown."""
        return f"{self.p50:.1f} / {self.p99:.1f} ms{' (errors)' if self.failed else ''}"


def wrk(url: str, seconds: float, connections: int, *, token: str = "", script: Path | None = None) -> Measured:
    """Ask for `url` as fast as so many connections can."""
    header = ["-H", f"Authorization: Bearer {token}"] if token else []
    run = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency", "--timeout", "30s", *header]
    if script:
        run += ["-s", str(script)]
    told = subprocess.run([*run, url], capture_output=True, text=True, check=True).stdout

    def milliseconds(percentile: int) -> float:
        found = re.search(rf"{percentile}%\s+([\d.]+)(us|ms|s|m)", told)
        assert found is not None, told
        return float(found[1]) * MILLISECONDS[found[2]]

    throughput = re.search(r"Requests/sec:\s+([\d.]+)", told)
    assert throughput is not None, told
    return Measured(
        float(throughput[1]), milliseconds(50), milliseconds(99), "Non-2xx" in told or "Socket errors" in told
    )


def version() -> str:
    """As it calls itself."""
    told = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False).stdout
    return " ".join(told.split()[:2])


def varied(folder: Path, pattern: str) -> Path:
    """A script that asks for another word, genre, year or rating every time."""
    script = folder / "varied.lua"
    script.write_text(f"""
local words = {{"night", "dream", "stone", "river", "queen", "winter", "ghost", "silver", "brother", "island", "thous",
    "forgot", "midni", "moon w", "garden"}}
local genres = {{"Drama", "Comedy", "Horror", "War", "Western", "Sport", "News", "Film-Noir", "Game-Show", "Sci-Fi"}}
local n = 0
request = function()
    n = n + 1
    local values = {{word = words[n % #words + 1], genre = genres[n % #genres + 1], year = 1950 + n % 75,
        rating = 5 + n % 45 / 10}}
    local path = string.gsub("{pattern}", "{{(%w+)}}", values)
    return wrk.format("GET", (string.gsub(path, " ", "%%20")))
end
""")
    return script
