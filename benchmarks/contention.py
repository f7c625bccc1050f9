"""Training next to other work: how fast is a small ViT while busy processes hold the cores?

Compares how torch's OpenMP threads wait for each other, each setting in a process of its own, interleaved so that the
machine's moods hit all alike; the median of the rounds counts.
"""

import os
import statistics
import subprocess
import sys

from deit_core.machine.limits import num_cores

SETTINGS = {
    "default": {},
    "GOMP_SPINCOUNT=1000": {"GOMP_SPINCOUNT": "1000"},
    "OMP_WAIT_POLICY=passive": {"OMP_WAIT_POLICY": "passive"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
_TRAIN = """
import time, torch
from deit_core.models import VisionTransformer
torch.manual_seed(0)
model = VisionTransformer(16, 2, 1, 10, embed_dim=48, depth=4, num_heads=4, mlp_ratio=2.0)
optimizer = torch.optim.AdamW(model.parameters(), fused=True)
images, labels = torch.randn(64, 1, 16, 16), torch.zeros(64, dtype=torch.long)
def step():
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(model(images), labels).backward()
    optimizer.step()
for _ in range(3):
    step()
began, steps = time.perf_counter(), 0
while time.perf_counter() - began < 3:
    step()
    steps += 1
print(64 * steps / (time.perf_counter() - began))
"""


def measure(long: bool = False) -> list[dict[str, object]]:
    """Images/s for each setting, next to as many busy processes as there are cores, and next to none."""
    rows: list[dict[str, object]] = []
    for num_busy in (0, num_cores()):
        speeds: dict[str, list[float]] = {name: [] for name in SETTINGS}
        for _ in range(5 if long else 1):
            for name, variables in SETTINGS.items():
                speeds[name].append(_speed(variables, num_busy))
        medians = {name: statistics.median(values) for name, values in speeds.items()}
        rows += [
            {
                "busy": num_busy,
                "setting": name,
                "images_per_s": round(speed),
                "to_default": round(speed / medians["default"], 2),
            }
            for name, speed in medians.items()
        ]
    return rows


def _speed(variables: dict[str, str], num_busy: int) -> float:
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(num_busy)]
    try:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
        command = [sys.executable, "-c", _TRAIN]
        done = subprocess.run(command, env=environment | variables, capture_output=True, text=True, check=True)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    return float(done.stdout)
