"""Triggers of a store in a SQLite file: they note which runs were written, so that a reader compares no rows.

The file keeps the note itself, whoever writes, a person with another program included. Knows the names of tables.
"""

_CHANGED = {  # after what, and the numbers of the runs that read differently now
    "INSERT ON runs": "SELECT NEW.number WHERE NEW.number IS NOT NULL",
    "UPDATE ON runs": "SELECT NEW.number WHERE NEW.number IS NOT NULL",
    "INSERT ON dependencies": "SELECT number FROM runs WHERE id = NEW.run_id",
    "DELETE ON dependencies": "SELECT number FROM runs WHERE id = OLD.run_id",
    "UPDATE ON experiments": "SELECT number FROM runs WHERE experiment_id = NEW.id",
}
_FORGET = "DELETE FROM run_writes WHERE number"


def _trigger(after: str, statements: str) -> str:
    name = f"noted_{after.lower().replace(' ', '_')}"
    return f"CREATE TRIGGER IF NOT EXISTS {name} AFTER {after} BEGIN {statements}; END"


TRIGGERS = (
    *(
        _trigger(after, f"{_FORGET} IN ({numbers}); INSERT INTO run_writes (number) {numbers}")
        for after, numbers in _CHANGED.items()
    ),
    _trigger("DELETE ON runs", f"{_FORGET} = OLD.number"),
)
