"""Which characters a name may hold does not depend on who asks: the tables are Unicode 14.0.0's on every Python."""

from __future__ import annotations

import unicodedata
from hashlib import sha256

import pytest

from crypto.refusal import Refused
from crypto.sealing import manifest, signs

EVERY = [chr(code) for code in range(0x110000)]
# Made with the `unicodedata` of Python 3.11, which is 14.0.0: "unfit" where the category is Cc, Cf, Cs, Cn, Co, Zl or
# Zp, "control" where it is Cc, Cf or Cs; one byte a code point, 1 where it is.
UNFIT = "5b8cc498a55467fde5df6aeaca8e72cfc9cf29a795dd8926e18ff7c33675b226"
CONTROL = "a91275c092869ecc9fdbc4994adf6c0aa9da3618b81cf8f50ca344d39633ef7a"
FORMS = "ce27672f55dc640ac7f350de7c4bc3d53b0ddf99e3f5aeb09efcadd022a2687f"


@pytest.fixture(scope="module")
def unfit() -> bytes:
    """One byte a code point: whether no name may hold it."""
    return bytes(map(signs.unfit_for_name, EVERY))


def test_the_tables_are_those_of_unicode_14(unfit: bytes) -> None:
    assert sha256(unfit).hexdigest() == UNFIT
    assert sha256(bytes(map(signs.control_in, EVERY))).hexdigest() == CONTROL


@pytest.mark.parametrize(
    "code",
    [0x0378, 0x1F6DC, 0x2B739, 0x2EBF0, 0x31350, 0x13439, 0xE000, 0x10FFFF, 0x2028, 0x2029, 0x202E, 0x00AD],
    ids=hex,
)
def test_a_character_without_meaning_in_unicode_14_is_refused_whatever_this_python_knows(code: int) -> None:
    with pytest.raises(Refused) as err:
        manifest.check_file_name(f"投标函{chr(code)}.pdf")
    assert err.value.code == "file_name_characters"


@pytest.mark.parametrize("name", ["投标函.pdf", "𠮷野.pdf", "é.pdf", "ẞ.pdf", "𮯠.pdf", "🏗.pdf"])
def test_what_unicode_14_had_assigned_is_accepted(name: str) -> None:
    assert manifest.check_file_name(name) == name


def test_white_space_at_an_end_is_what_python_strips() -> None:
    assert [sign for sign in EVERY if signs.blank_at_ends(sign)] == [sign for sign in EVERY if not sign.strip()]


def test_forms_and_folding_of_what_is_accepted_are_those_of_unicode_14(unfit: bytes) -> None:
    """The promise of Unicode on which the rest of the check leans, held against this Python's own tables."""
    told = sha256()
    for sign, refused in zip(EVERY, unfit, strict=True):
        if not refused:
            told.update(f"{unicodedata.normalize('NFC', sign)}|{sign.casefold()}\n".encode())
    assert told.hexdigest() == FORMS
