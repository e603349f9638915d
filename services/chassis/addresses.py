"""E-mail addresses: which we take, in which form we write to them, and when two are the same.

We take what people have: a dot-atom (RFC 5322, 3.2.3) with letters of any script (RFC 6531) at a domain that is a name,
of any script too (IDNA 2008, RFC 5891). We don't take quoted local parts, domain literals and hosts without a dot: mail
systems differ on them, and nobody signs up with one.
"""

from __future__ import annotations

import re
import unicodedata

import idna
from msgspec import Struct

from services.chassis.problems import Invalid

LONGEST_ADDRESS = 254  # RFC 5321, 4.5.3.1.3, less the angle brackets
LONGEST_LOCAL_PART = 64  # RFC 5321, 4.5.3.1.1
ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a0-\U0010ffff-]+"
DOT_ATOM = re.compile(rf"{ATOM}(\.{ATOM})*")


class Address(Struct, frozen=True):
    """An address that mail can be sent to: the part before the @, as its owner writes it, and the domain in ASCII."""

    local: str
    domain: str

    @property
    def mailbox(self) -> str:
        """The address as SMTP and headers want it. It needs SMTPUTF8 only where the local part is not ASCII."""
        return f"{self.local}@{self.domain}"

    @property
    def text(self) -> str:
        """The address as people read it, the domain in its own script."""
        return f"{self.local}@{idna.decode(self.domain)}"

    @property
    def key(self) -> str:
        """Equal for two spellings of one mailbox: without case, and with compatible characters made one (NFKC).

        RFC 5321 lets a host tell `Kim@` from `kim@`; no host that people use does. Dots and `+tags` are left alone:
        to some hosts they matter.
        """
        return f"{_folded(self.local)}@{self.domain}"


def parse_address(text: str, field: str = "email") -> Address:
    """The address that a person typed. Raises `Invalid`, naming `field`, for what is none."""
    local, at, domain = unicodedata.normalize("NFC", text.strip()).rpartition("@")
    # Folding can make of one letter several, or a space: what then is no address can't be told from others.
    if not at or len(text) > LONGEST_ADDRESS or not (_is_local_part(local) and _is_local_part(_folded(local))):
        raise Invalid.field(field, "This is not an e-mail address")
    address = Address(local, _ascii_domain(domain, field))
    if len(address.mailbox.encode()) > LONGEST_ADDRESS:
        raise Invalid.field(field, "This e-mail address is too long")
    return address


def _folded(local: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", local).lower())


def _is_local_part(local: str) -> bool:
    if not DOT_ATOM.fullmatch(local) or len(local.encode(errors="replace")) > LONGEST_LOCAL_PART:
        return False
    return all(unicodedata.category(letter) not in UNPRINTABLE for letter in local)


# Separators, and what is invisible, unassigned or private (Unicode general categories).
UNPRINTABLE = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn"})


def _ascii_domain(domain: str, field: str) -> str:
    try:
        ascii_domain = idna.encode(domain, uts46=True, std3_rules=True).decode()
    except (idna.IDNAError, UnicodeError) as error:
        raise Invalid.field(field, "The part after the @ is not a domain") from error
    if "." not in ascii_domain or ascii_domain.endswith(".") or ascii_domain.rpartition(".")[2].isdigit():
        raise Invalid.field(field, "The part after the @ is not a domain")
    return ascii_domain
