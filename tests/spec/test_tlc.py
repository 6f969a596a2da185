"""The specification holds in small parliaments, and every broken rule is noticed."""

import pytest

from spec.tlc import CONFIGURATIONS, MUTANTS, Mutant, TlcFailed, check_mutant, check_named, verdict_in

# Distinct states of each configuration, and the depth of its state graph.  The same everywhere; a change of the
# specification changes them.
SIZES = {
    "flexible": (1_312, 21),
    "ink": (254_969, 37),
    "ink-one-ballot": (768, 22),
    "one-slot": (157_348, 25),
    "rosters": (167_930, 31),
    "stamps": (13_848, 23),
    "texts": (13_162, 20),
    "three-ballots": (88_025, 26),
    "two-ballots": (4_515, 20),
    "two-slots": (363_463, 29),
    "weights": (24_492, 19),
    "window": (142_632, 29),
}

# Seconds; all others take longer than anybody wants to wait for in every run.
QUICK = ("ink-one-ballot", "two-ballots")


@pytest.mark.usefixtures("tlc")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in CONFIGURATIONS]
)
def test_it_holds_in_every_state(name: str) -> None:
    verdict = check_named(name, is_short=name in QUICK)
    assert verdict.violated is None, verdict.output
    assert (verdict.distinct, verdict.depth) == SIZES[name]


def test_every_configuration_has_its_size() -> None:
    assert set(SIZES) == set(CONFIGURATIONS)


@pytest.mark.usefixtures("tlc")
@pytest.mark.parametrize(
    "mutant",
    [
        pytest.param(mutant, id=f"{mutant.definition}-{mutant.rule}", marks=[] if mutant.is_quick else pytest.mark.slow)
        for mutant in MUTANTS
    ],
)
def test_a_broken_rule_is_noticed(mutant: Mutant) -> None:
    assert check_mutant(mutant).violated == mutant.noticed_by


def test_no_verdict_is_not_taken_for_a_good_one() -> None:
    with pytest.raises(TlcFailed):
        verdict_in("Error: Parsing or semantic analysis failed.")
    with pytest.raises(TlcFailed):
        verdict_in("Progress(3): 10 states generated, 5 distinct states found, 2 states left on queue.")
