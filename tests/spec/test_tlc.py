"""The specification holds in small parliaments, and every broken rule is noticed."""

import pytest

from spec.tlc import CONFIGURATIONS, MUTANTS, Mutant, TlcFailed, check_mutant, check_named, verdict_in
from tests.docs.documents import ROOT, sections, table_rows

# States generated for each configuration, distinct ones, and the depth of the state graph.  The same everywhere; a
# change of the specification changes them.
SIZES = {
    "flexible": (3_310, 1_312, 21),
    "ink": (1_869_127, 254_969, 37),
    "ink-one-ballot": (4_684, 768, 22),
    "one-slot": (620_064, 157_348, 25),
    "rosters": (986_783, 167_930, 31),
    "stamps": (33_665, 13_848, 23),
    "texts": (54_293, 13_162, 20),
    "three-ballots": (384_742, 88_025, 26),
    "two-ballots": (15_906, 4_515, 20),
    "two-slots": (1_794_179, 363_463, 29),
    "weights": (88_621, 24_492, 19),
    "window": (802_691, 142_632, 29),
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
    assert (verdict.states, verdict.distinct, verdict.depth) == SIZES[name]


def test_every_configuration_has_its_size() -> None:
    assert set(SIZES) == set(CONFIGURATIONS)


def test_the_proof_page_has_every_size_and_every_broken_rule() -> None:
    found = sections((ROOT / "docs/proof.md").read_text(encoding="utf-8"))
    sizes = {}
    for name, _, states, distinct, depth in table_rows(found["The specification in TLA+"]):
        sizes[name.strip("`")] = tuple(int(cell.replace(",", "")) for cell in (states, distinct, depth))
    assert sizes == SIZES
    rows = [(noticed_by, where) for _, noticed_by, where in table_rows(found["Broken rules in the specification"])]
    assert rows == [(f"`{mutant.noticed_by}`", f"`{mutant.configuration}`") for mutant in MUTANTS]


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
