from typing import Any

import pytest
from pii_mask import PiiMask

from tiegel.plugin import Batch, InvalidConfig, InvalidSchema
from tiegel.plugin.testing import Harness


def mask(text: str, **config: Any) -> str:
    answer = Harness(PiiMask, config).transform(Batch.of(note=("utf8", [text])))
    masked: str = answer["note"][0]
    return masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("write to ada.lovelace+x@example.co.uk, please", "write to [email], please"),
        ("Zoë <zoë@bücher.example>", "Zoë <[email]>"),
        ("paid by 4111 1111 1111 1111 today", "paid by [card] today"),
        ("5500-0000-0000-0004", "[card]"),
        ("IBAN DE89 3704 0044 0532 0130 00 is ours", "IBAN [iban] is ours"),
        ("gb82west12345698765432.", "[iban]."),
        ("call +49 30 901820 or (212) 555-0187", "call [phone] or [phone]"),
        ("030 901820, 212-555-0187", "[phone], [phone]"),
        ("0049 170 1234567", "[phone]"),
    ],
)
def test_personal_data_is_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing here",
        "order 4111 1111 1111 1112",  # The check digit is wrong.
        "0000 0000 0000 0000",
        "DE88 3704 0044 0532 0130 00",
        "on 2026-11-23 at 12:30:45",
        "3.14159265358979",
        "192.168.100.200",
        "@home",
        "version 1.2.3-4",
        "a@b",
        "550e8400-e29b-41d4-a716-446655440000",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert mask(text) == text


def test_the_config_picks_kinds_and_replacement() -> None:
    text = "a@example.org paid with 4111111111111111"
    assert mask(text, kinds=["email"], replacement="***") == "*** paid with 4111111111111111"
    assert mask(text, kinds=["card"], replacement="<{kind}>", keep_last=4) == "a@example.org paid with <card>1111"


def test_nulls_stay_null_and_rows_stay_apart() -> None:
    batch = Batch.of(a=("utf8", ["x@example.org", None, "y"]), b=("utf8", [None, "", "+1 212 555 0187"]))
    harness = Harness(PiiMask)
    assert harness.transform(batch).to_dict() == {"a": ["[email]", None, "y"], "b": [None, "", "[phone]"]}
    harness.check_row_wise(batch)


def test_a_masked_text_holds_nothing_more_to_mask() -> None:
    once = mask("a@example.org, 4111 1111 1111 1111, DE89 3704 0044 0532 0130 00, +49 30 901820")
    assert once == "[email], [card], [iban], [phone]"
    assert mask(once) == once


def test_mistakes_are_named() -> None:
    with pytest.raises(InvalidConfig, match=r'config.kinds\[0\]: one of "email", "phone", "card", "iban" is needed'):
        mask("", kinds=["name"])
    with pytest.raises(InvalidConfig, match=r"config\.kinds: at least 1 long is needed, not 0"):
        mask("", kinds=[])
    with pytest.raises(InvalidSchema, match="pii-mask reads utf8 columns, not int64"):
        Harness(PiiMask).transform(Batch.of(n=("int64", [1])))
