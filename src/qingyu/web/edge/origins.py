"""Host and Origin of a service without keys: which names it answers to, and which pages may send it
requests that change something.

A browser takes any page's requests to any address, also to this machine's own. What tells them
apart are two headers that a page cannot forge: `Host`, which a name made to point here (DNS
rebinding) gives away, and `Origin`, which says whose page asks. Where there are keys neither is
needed, since no page has one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.types import Scope

from qingyu.settings import Settings, is_loopback

from .errors import RequestError

HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})
SHOWN = 80


@dataclass(frozen=True)
class Origins:
    """by_name: answer only to this machine's own names, to `own` and to `hosts`
    by_origin: take orders only from pages of the service itself, of `hosts` and of `origins`
    """

    by_name: bool
    by_origin: bool
    own: str = ""
    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()

    @classmethod
    def of(cls, settings: Settings) -> Origins:
        return cls(
            by_name=not settings.has_keys
            and (is_loopback(settings.host) or bool(settings.allowed_hosts)),
            by_origin=not settings.has_keys,
            own=settings.host.lower(),
            hosts=frozenset(map(str.lower, settings.allowed_hosts)),
            origins=frozenset(map(str.lower, settings.cors_origins)),
        )

    def check(self, scope: Scope, headers: Mapping[bytes, bytes]) -> None:
        """Raises RequestError (foreign_host, foreign_origin)."""
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if self.by_name and host and not self._ours(host):
            raise RequestError(
                "foreign_host",
                f"此服务不以 {host[:SHOWN]!r} 为名；可用 --allowed-hosts 允许。",
                f"This service does not go by {host[:SHOWN]!r}; --allowed-hosts can allow it.",
            )
        origin = headers.get(b"origin", b"").decode("latin-1").lower()
        if self.by_origin and origin and scope["method"] not in HARMLESS:
            place = _place(origin)
            allowed = self.origins & {origin, "*"} or _name(place) in self.hosts
            if place != host and not allowed:
                raise RequestError(
                    "foreign_origin",
                    f"{origin[:SHOWN]!r} 的网页不能调用此服务；可用 --cors-origins 允许。",
                    f"Pages of {origin[:SHOWN]!r} may not call this service; "
                    "--cors-origins can allow them.",
                )

    def _ours(self, host: str) -> bool:
        name = _name(host)
        return name == self.own or name in self.hosts or is_loopback(name)


def _place(origin: str) -> str:
    """`http://a:1` -> "a:1"; what is no address, such as "null", as it is."""
    _, scheme, place = origin.partition("://")
    return place if scheme else origin


def _name(place: str) -> str:
    """`a:80` -> "a", `[::1]:80` -> "::1"."""
    if place.startswith("["):
        return place[1:].partition("]")[0]
    return place.partition(":")[0]
