"""Imports point strictly down, and the pure zone stays pure."""

import pytest

from tests.tidy.layers import layer_findings, purity_findings
from tests.tidy.source import SourceFile, demand_none, listed, python_files


def test_imports_point_strictly_down() -> None:
    demand_none(layer_findings(python_files("src/paxon")))


def test_the_pure_zone_is_pure() -> None:
    demand_none(purity_findings(python_files("src/paxon")))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("core/a.py", "from paxon.node.host import Host"),
        ("core/a.py", "import paxon.codec"),
        ("codec/a.py", "from paxon.rsm import machine"),
        ("net/a.py", "from paxon.storage.file import LedgerFile"),
        ("client/a.py", "from paxon import server"),
        ("core/a.py", "from ..node import host"),
        ("core/deep/a.py", "from ...node.host import Host"),
        ("core/a.py", "from .. import node"),
        ("rsm/a.py", "def f():\n    import paxon.node"),
        ("core/a.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from paxon.node import host"),
        ("storage/a.py", "from importlib import import_module\nimport_module('paxon.cli.main')"),
        ("core/a.py", "from paxon import __version__"),
        ("core/a.py", "import paxon"),
        ("core/a.py", "from paxon import *"),
        ("kv/a.py", "from paxon.core.decree import Ballot"),
        ("node/a.py", "from paxon.kv.store import Store"),
        ("errors.py", "from paxon.core import decree"),
        ("errors.py", "import paxon.version"),
        ("cli/a.py", "import paxon.elsewhere"),
        ("elsewhere/a.py", ""),
        ("elsewhere.py", ""),
    ],
)
def test_a_wrong_import_is_found(path: str, text: str) -> None:
    assert listed(layer_findings([SourceFile(f"src/paxon/{path}", text)]))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("core/a.py", "from paxon.core.decree import Ballot\nfrom paxon.errors import check"),
        ("core/a.py", "from paxon import errors"),
        ("core/a.py", "from . import decree\nfrom .decree import Ballot\nfrom ..errors import check"),
        ("node/a.py", "from paxon.net import link\nimport paxon.storage.file"),
        ("cli/a.py", "from paxon.sim import run\nfrom paxon.version import __version__"),
        ("__init__.py", "from paxon.node.host import Host"),
        ("__main__.py", "from paxon.cli.main import main"),
        ("core/a.py", "import paxonomy"),
    ],
)
def test_a_right_import_is_let_be(path: str, text: str) -> None:
    assert not listed(layer_findings([SourceFile(f"src/paxon/{path}", text)]))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("core/a.py", "import time"),
        ("core/a.py", "from os import path"),
        ("codec/a.py", "import concurrent.futures"),
        ("rsm/a.py", "import logging"),
        ("kv/a.py", "def f():\n    import random"),
        ("collections/a.py", "from asyncio import Queue"),
        ("core/a.py", "import sortedcontainers"),
        ("core/a.py", "import google_crc32c"),
        ("kv/a.py", "import attrs"),
        ("core/a.py", "open('x')"),
        ("kv/a.py", "key = hash('x')"),
        ("errors.py", "import os"),
        ("rsm/classes.py", "import sys, os"),
        ("rsm/classes.py", "import enum"),
    ],
)
def test_an_impurity_is_found(path: str, text: str) -> None:
    assert listed(purity_findings([SourceFile(f"src/paxon/{path}", text)]))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("core/a.py", "import enum, itertools\nfrom typing import NewType\nfrom msgspec import Struct"),
        ("core/a.py", "def __hash__(self):\n    return self.hash()"),
        ("codec/a.py", "import struct, zlib\nimport google_crc32c"),
        ("kv/a.py", "from sortedcontainers import SortedDict"),
        ("storage/a.py", "import os, time\nopen('x')"),
        ("node/a.py", "import asyncio"),
        ("rsm/classes.py", "import sys"),
    ],
)
def test_what_is_allowed_is_let_be(path: str, text: str) -> None:
    assert not listed(purity_findings([SourceFile(f"src/paxon/{path}", text)]))
