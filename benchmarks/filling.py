"""Fills a store of either kind with runs and points, written in the database itself, so that millions take minutes.

Knows the tables; nothing of what is measured on them.
"""

from collections.abc import Sequence
from typing import NamedTuple

from deit_core.runs import Store

METRICS = (
    *("train_loss", "train_loss_class", "train_loss_distillation", "train_agreement", "teacher_hit_rate"),
    *("train_accuracy", "train_accuracy_class", "train_accuracy_distillation", "lr", "images_per_s"),
)
_AT_ONCE = 4  # runs that were measured at the same time, so their points lie between each other


class _Dialect(NamedTuple):
    """What the two databases say differently; `{count}` is a number."""

    numbers: str  # a table `numbers(n)` of 0 to {count} - 1
    random: str  # in [0, 1)
    id: str  # a text from the number n: a letter, and seven hexadecimal digits
    renamed: str  # the spec as a text, its name "run n"
    before: tuple[str, ...] = ()  # said before points are written: that their runs are there need not be checked


_DIALECTS = {
    "sqlite": _Dialect(
        numbers="with recursive numbers(n) as (select 0 union all select n + 1 from numbers where n + 1 < {count})",
        random="(abs(random()) * 1e-19)",
        id="printf('a%07x', n)",
        renamed="json_set(spec, '$.name', 'run ' || n)",
    ),
    "postgresql": _Dialect(
        numbers="with numbers(n) as (select generate_series(0, {count} - 1))",
        random="random()",
        id="'a' || lpad(to_hex(n), 7, '0')",
        renamed="jsonb_set(spec::jsonb, '{name}', to_jsonb('run ' || n))::text",
        before=("set local session_replication_role = replica",),
    ),
}


def fill_points(store: Store, run_ids: Sequence[str], num_points: int) -> None:
    """Write points with digits as real ones have, every hundredth of an epoch."""
    for start in range(0, len(run_ids), _AT_ONCE):
        some = run_ids[start : start + _AT_ONCE]
        whose = " ".join(f"when {place} then '{run_id}'" for place, run_id in enumerate(some))
        with store.writing() as connection:
            says = _DIALECTS[connection.dialect.name]
            metrics = " || ', ' || ".join(f"'\"{name}\": ' || {says.random}" for name in METRICS)
            for statement in says.before:
                connection.exec_driver_sql(statement)
            connection.exec_driver_sql(
                f"""
                {says.numbers.format(count=len(some) * num_points)},
                places(n, place) as (select n / {len(some)}, mod(n, {len(some)}) from numbers)
                insert into metrics (run_id, kind, step, epoch, elapsed_s, metrics)
                select case place {whose} end, case when mod(n, 100) = 99 then 'epoch' else 'step' end,
                    10 * n, n * 0.01, n * 0.5, '{{' || {metrics} || '}}' from places
                """
            )


def add_copies(store: Store, num_runs: int) -> None:
    """Fill a store with copies of its first run, up to `num_runs`, each with a name of its own."""
    with store.writing() as connection:
        says = _DIALECTS[connection.dialect.name]
        connection.exec_driver_sql(
            f"""
            {says.numbers.format(count=num_runs + 1)}
            insert into runs (id, spec, status, message, stop_requested, reserved_for, created_at, step, total_steps,
                epoch, results)
            select {says.id}, {says.renamed}, status, message, stop_requested,
                reserved_for, created_at, step, total_steps, epoch, results
            from numbers, runs where number = 1 and n > 1 order by n
            """
        )
