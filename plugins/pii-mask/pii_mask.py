"""Masks e-mail addresses, phone numbers, card numbers and IBANs in utf8 columns."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Literal

from tiegel.plugin import Batch, Column, Field, InvalidSchema, Range, Schema, Transform, column

Kind = Literal["email", "phone", "card", "iban"]

PHONE_DIGITS_MIN = 7
PHONE_DIGITS_MAX = 15
CARD_DIGITS_MIN = 12
CARD_DIGITS_MAX = 19

# Every repetition is bounded and no two of them compete for the same characters: a hostile text costs linear time.
EMAIL = re.compile(
    r"""(?<![\w.+@-])
    (?:"[^"\s]{1,62}"|[\w!#$%&'*+/=?^`{|}~-]{1,64}(?:\.[\w!#$%&'*+/=?^`{|}~-]{1,64}){0,31})
    @
    (?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_]{2,63}
    (?![\w-])""",
    re.VERBOSE,
)
CARD = re.compile(r"(?<![\w.,-])\d(?:[ -]?\d){11,18}(?!\w|[.,-]\d)")
IBAN = re.compile(r"(?<!\w)[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,30}(?!\w)")
PHONE = re.compile(
    r"""(?<![\w.,:/+-])(?<!\d[ ])  # Not within a longer number.
    (?:
        (?:\+|00)[1-9]\d{0,2}(?:[ ./-]?\(0?\d{1,5}\))?[ ./-]?\d{1,12}(?:[ ./-]\d{1,12}){0,5}  # With the country's code.
      | \(\d{2,5}\)[ ./-]?\d{2,8}(?:[ ./-]\d{2,8}){0,3}  # The area in brackets.
      | 0\d{2,5}(?:[ /-]\d{2,8}){1,4}  # The area with its zero.
      | \d{3}[ -]\d{3}[ -]\d{4}  # As in North America.
    )
    (?!\w|[.,:/-]\d)""",
    re.VERBOSE,
)


@dataclass
class Config:
    kinds: Annotated[list[Kind], "What is masked.", Range(minimum=1)] = field(
        default_factory=lambda: ["email", "phone", "card", "iban"]
    )
    replacement: Annotated[str, "What stands in its place; {kind} becomes the kind's name."] = "[{kind}]"
    keep_last: Annotated[int, "Letters and digits at the end of a number that stay readable.", Range(0, 4)] = 0


class PiiMask(Transform[Config]):
    """Masks personal data in texts. Nulls stay null; all else in a text stays as it is."""

    def configure(self) -> None:
        for one in self.input:
            if one.dtype != "utf8":
                raise InvalidSchema(f"pii-mask reads utf8 columns, not {one}", column=one.name)
        self.searches = [search for kind, search in SEARCHES.items() if kind in self.config.kinds]

    def output(self) -> Schema:
        return Schema(Field(one.name, "utf8", nullable=one.nullable) for one in self.input)

    def transform(self, batch: Batch) -> list[Column]:
        return [column("utf8", map(self.masked, values.texts())) for values in batch]

    def masked(self, text: str | None) -> str | None:
        # Every kind holds a digit or an at sign, which most texts do not.
        if text is None or not SUSPICIOUS.search(text):
            return text
        for search in self.searches:
            text = search(text, self.replaced)
        return text

    def replaced(self, kind: Kind, found: str) -> str:
        replacement = self.config.replacement.replace("{kind}", kind)
        if kind == "email" or self.config.keep_last == 0:
            return replacement
        return replacement + "".join(filter(str.isalnum, found))[-self.config.keep_last :]


Replace = Callable[[Kind, str], str]

SUSPICIOUS = re.compile(r"[\d@]")


def mask_emails(text: str, replace: Replace) -> str:
    return EMAIL.sub(lambda found: replace("email", found[0]), text) if "@" in text else text


def mask_phones(text: str, replace: Replace) -> str:
    def one(found: re.Match[str]) -> str:
        digits = sum(map(str.isdigit, found[0]))
        return replace("phone", found[0]) if PHONE_DIGITS_MIN <= digits <= PHONE_DIGITS_MAX else found[0]

    return PHONE.sub(one, text)


def mask_cards(text: str, replace: Replace) -> str:
    return CARD.sub(lambda found: replace("card", found[0]) if is_card(found[0]) else found[0], text)


def mask_ibans(text: str, replace: Replace) -> str:
    """The longest right IBAN at each place: letters of the next word may look like part of it."""

    def one(found: re.Match[str]) -> str:
        for end in iban_ends(found[0]):
            if is_iban(found[0][:end]):
                return replace("iban", found[0][:end]) + found[0][end:]
        return found[0]

    return IBAN.sub(one, text)


SEARCHES: dict[Kind, Callable[[str, Replace], str]] = {
    "iban": mask_ibans,
    "card": mask_cards,
    "email": mask_emails,
    "phone": mask_phones,
}
"""In the order in which they are looked for."""


def iban_ends(text: str) -> list[int]:
    """Where an IBAN may end: at the end, or before a space or hyphen; the longest first."""
    breaks = [at for at, letter in enumerate(text) if letter in " -"]
    return [len(text), *reversed(breaks)]


def is_card(text: str) -> bool:
    """By Luhn's check digit: every second digit from the right is doubled, and the digits' sum ends in 0."""
    digits = [int(letter) for letter in text if letter.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    in_range = CARD_DIGITS_MIN <= len(digits) <= CARD_DIGITS_MAX
    return in_range and len(set(digits)) > 1 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def is_iban(text: str) -> bool:
    """By ISO 7064: with the first four to the end and letters as numbers from 10 on, the remainder by 97 is 1."""
    letters = text.replace(" ", "").replace("-", "").upper()
    if not 15 <= len(letters) <= 34:
        return False
    return int("".join(str(int(letter, 36)) for letter in letters[4:] + letters[:4])) % 97 == 1
