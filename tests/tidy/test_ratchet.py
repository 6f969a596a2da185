"""Files and functions only get shorter, and the record follows."""

from pathlib import Path

from tests.tidy.ratchet import (
    CEILING,
    COMFORT,
    RECORD,
    ROOT,
    Length,
    Record,
    growth,
    lengths_in,
    lengths_of,
    objections,
    tightest,
)
from tests.tidy.source import demand_none

OVER = CEILING["file"] + 100
BETWEEN = COMFORT["file"] + 70


def _file(lines: int, where: str = "src/paxon/core/a.py") -> Length:
    return Length(where, "core", "file", lines)


def test_nothing_is_longer_than_recorded() -> None:
    demand_none(objections(lengths_in(ROOT), Record.load(RECORD)))


def test_functions_are_measured_without_their_docstring() -> None:
    text = (
        'class A:\n    def f(self):\n        """One.\n\n        Two.\n        """\n        def g():\n            pass\n'
    )
    assert list(lengths_of("src/paxon/core/a.py", text)) == [
        Length("src/paxon/core/a.py", "core", "file", 8),
        Length("src/paxon/core/a.py::A.f", "core", "function", 3),
        Length("src/paxon/core/a.py::A.f.g", "core", "function", 2),
    ]


def test_top_level_modules_are_a_package_of_their_own() -> None:
    assert [length.package for length in lengths_of("src/paxon/errors.py", "x = 1")] == ["."]


def test_short_is_free() -> None:
    assert not list(objections([_file(COMFORT["file"])], Record()))
    assert not tightest([_file(COMFORT["file"])]).packages


def test_growing_past_the_record_is_found() -> None:
    record = tightest([_file(BETWEEN)])
    assert not list(objections([_file(BETWEEN)], record))
    assert not list(objections([_file(BETWEEN + 1)], record)), "a step of slack keeps small edits off the record"
    assert list(objections([_file(BETWEEN + 50)], record))
    assert list(objections([_file(BETWEEN)], Record())), "no record means the comfort limit"


def test_growing_past_the_ceiling_is_found_whatever_the_package_may() -> None:
    assert list(objections([_file(OVER)], Record(packages={"core": {"file": OVER}})))


def test_a_listed_overrun_may_stay_but_not_grow() -> None:
    record = tightest([_file(OVER)])
    assert record.overruns == {"src/paxon/core/a.py": OVER}
    assert not list(objections([_file(OVER)], record))
    assert list(objections([_file(OVER + 1)], record))


def test_a_record_that_is_not_needed_is_found() -> None:
    overrun, package = tightest([_file(OVER)]), tightest([_file(BETWEEN)])
    for lengths, record in [
        ([_file(OVER - 1)], overrun),
        ([_file(CEILING["file"])], overrun),
        ([], overrun),
        ([_file(BETWEEN - 50)], package),
        ([], package),
    ]:
        assert any("can be tightened" in objection for objection in objections(lengths, record))


def test_only_growth_is_growth() -> None:
    small, large = tightest([_file(BETWEEN)]), tightest([_file(BETWEEN + 50), _file(OVER, "src/paxon/core/b.py")])
    assert len(list(growth(small, large))) == 2
    assert not list(growth(large, small))
    assert not list(growth(large, large))


def test_a_record_survives_being_written(tmp_path: Path) -> None:
    record = tightest([_file(BETWEEN), _file(OVER, "src/paxon/core/b.py")])
    (tmp_path / "ratchet.json").write_text(record.dump(), encoding="utf-8")
    assert Record.load(tmp_path / "ratchet.json") == record
