"""Measures how long a spec takes: for the command, and as the separate process that `Estimates` starts.

Knows specs and settings; of training only the measuring.
"""

import sys
import traceback
from pathlib import Path

from deit_core.errors import ResourceError
from deit_core.machine.limits import num_cores
from deit_core.machine.own_limit import limited_memory
from deit_core.machine.threads import spin_briefly
from deit_core.memory import check_granted
from deit_core.refusals import user_error
from deit_core.runs.estimates import Estimate, save_estimate
from deit_core.runs.pulse import process_age_s
from deit_core.settings import Settings
from deit_core.spec import AnySpec, load_spec


def measure(spec: AnySpec, settings: Settings) -> Estimate:
    """Seconds for a spec on this machine, including the start of a process.

    Raises: DeitError where a teacher, a folder of images, or the device is missing, or the memory is too small.
    """
    check_granted(spec, settings.runs_dir)
    spin_briefly()
    from deit_core.training.estimate import estimate_durations
    from deit_core.training.memory import is_out_of_memory

    start_s = process_age_s()
    num_threads = max(1, num_cores() // max(1, settings.num_workers))
    try:
        with limited_memory():
            run_s = estimate_durations(spec, settings.runs_dir, num_threads, settings.data_dir)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise ResourceError(
            "Out of memory: its steps need more than is free now; end other programs and measure again, or make "
            "compute.gradient_accumulation_steps larger, or data.img_size or the model smaller."
        ) from error
    return Estimate(start_s + sum(run_s.values()), run_s)


def main() -> None:
    """Measure the spec in the first file, and write the estimate, or the error, into the second."""
    spec_file, out = map(Path, sys.argv[1:])
    try:
        estimate = measure(load_spec(spec_file.read_bytes()), Settings.from_env())
    except Exception as error:
        traceback.print_exc()
        estimate = Estimate(0.0, {}, str(user_error(error) or error))  # the reader of the file must not wait for ever
    save_estimate(out, estimate)


if __name__ == "__main__":
    main()
