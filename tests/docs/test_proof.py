"""The proof page names every fault of the simulator, and no other."""

import re

from paxon.sim.strikes import FAULTS
from tests.docs.documents import ROOT

ROW = re.compile(r"^\| ([A-Z]\d+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def test_the_table_of_faults_is_that_of_the_simulator() -> None:
    section = (ROOT / "docs" / "proof.md").read_text(encoding="utf-8").split("## Faults of the simulator")[1]
    rows = ROW.findall(section.split("\n## ")[0])
    assert [fault for fault, _, _ in rows] == list(FAULTS)
