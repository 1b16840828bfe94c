"""The REST half of the contract, as far as a phone needs it: login, tokens, profile, rides."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypedDict

import httpx

from nebengjek_client.backoff import retry_after
from nebengjek_client.contract import Ride
from nebengjek_client.errors import Unreachable, server_error
from nebengjek_client.frames import Data

REST_TIMEOUT = 30.0
"""Seconds that an answer over HTTP may take."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """A pair of tokens, which does not show in logs. Each refresh gives a new pair and ends the one before."""

    access: str
    refresh: str

    def __repr__(self) -> str:
        return "Tokens(…)"


class Login(TypedDict):
    """What a login, or the registration of a driver, gives."""

    access: str
    refresh: str
    user: Data


class Page(TypedDict):
    """A page of one's own rides, newest first."""

    count: int
    next: str | None
    previous: str | None
    results: list[Ride]


class TrackPage(TypedDict):
    """A page of what a driver's phone reported on a ride, in the order in which it came in."""

    count: int
    next: str | None
    previous: str | None
    results: list[Data]


def http_url(url: str) -> str:
    """Return the HTTP address of a site, which may be given by that of its socket."""
    if not re.match(r"(http|ws)s?://\S+$", url):
        raise ValueError(f"{url!r} is no address: http(s)://host[:port] is asked for.")
    return re.sub(r"^ws", "http", url).rstrip("/").removesuffix("/ws")


class Rest:
    """The REST calls of one user; `access` is their token, where they have one.

    What is refused is raised as a `ServerError` with its HTTP `status`, and `Unreachable` where nobody answers.

    Reason for its size: one short method for each call of the REST contract.
    """

    def __init__(self, url: str, access: str | None = None, *, http: httpx.AsyncClient | None = None) -> None:
        self.access = access
        self._url = http_url(url)
        self._own = http is None
        self._http = http

    async def request_code(self, msisdn: str) -> int:
        """Have a one-time code sent to a phone number; return for how many seconds it is good."""
        answer = await self._call("POST", "/api/auth/otp/", {"msisdn": msisdn})
        return int(answer["expires_in"])

    async def log_in(self, msisdn: str, code: str) -> Login:
        """Exchange a code for tokens; `access` is used from now on."""
        return self._logged_in(await self._call("POST", "/api/auth/token/", {"msisdn": msisdn, "otp": code}))

    async def register_driver(self, *, vehicle_type: str, vehicle_plate: str) -> Login:
        """Become a driver; the tokens before end, `access` is the new one."""
        vehicle = {"vehicle_type": vehicle_type, "vehicle_plate": vehicle_plate}
        return self._logged_in(await self._call("POST", "/api/drivers/", vehicle))

    async def refresh(self, refresh: str) -> Tokens:
        """Exchange a refresh token for a new pair; the old one is worth nothing then."""
        answer = await self._call("POST", "/api/auth/refresh/", {"refresh": refresh})
        self.access = answer["access"]
        return Tokens(answer["access"], answer["refresh"])

    async def log_out(self, refresh: str) -> None:
        """End all tokens of the user."""
        await self._call("POST", "/api/auth/logout/", {"refresh": refresh})

    async def me(self) -> Data:
        """Return one's own profile."""
        profile: Data = await self._call("GET", "/api/me/")
        return profile

    async def set_name(self, full_name: str) -> Data:
        """Change one's name, or confirm it after a login; return the profile."""
        profile: Data = await self._call("PATCH", "/api/me/", {"full_name": full_name})
        return profile

    async def delete_account(self) -> None:
        """End the account and all personal data with it; refused (409) during a ride and until it is paid."""
        await self._call("DELETE", "/api/me/")
        self.access = None

    async def block(self, ride_id: str) -> None:
        """Never again be paired with the other side of a ride."""
        await self._call("POST", f"/api/rides/{ride_id}/block/")

    async def rides(self, page: int = 1) -> Page:
        """Return a page of one's own rides."""
        rides: Page = await self._call("GET", f"/api/rides/?page={page}")
        return rides

    async def ride(self, ride_id: str) -> Data:
        """Return one of one's own rides, with `ledger`, `lines` and `payment`."""
        ride: Data = await self._call("GET", f"/api/rides/{ride_id}/")
        return ride

    async def track(self, ride_id: str, page: int = 1) -> TrackPage:
        """Return a page of the positions that the driver of a ride reported, 1,000 at most."""
        points: TrackPage = await self._call("GET", f"/api/rides/{ride_id}/track/?page={page}")
        return points

    async def quote(self, location: Data, target_location: Data, vehicle_type: str | None = None) -> Data:
        """Return what a ride will cost; `finder_update` takes the `quote_id` until `valid_until`."""
        wanted = {"location": location, "target_location": target_location, "vehicle_type": vehicle_type}
        quote: Data = await self._call("POST", "/api/quotes/", wanted)
        return quote

    async def aclose(self) -> None:
        """Let go of the connections."""
        if self._own and self._http is not None:
            await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _logged_in(self, login: Any) -> Login:
        self.access = login["access"]
        result: Login = login
        return result

    async def _call(self, method: str, path: str, body: Data | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self.access}"} if self.access and "/auth/" not in path else {}
        if self._http is None:  # made when it is needed: it weighs more than the rest of a client
            self._http = httpx.AsyncClient(timeout=REST_TIMEOUT)
        try:
            answer = await self._http.request(method, self._url + path, json=body, headers=headers)
        except httpx.TransportError as exc:
            raise Unreachable(f"{path}: {exc or type(exc).__name__}") from exc
        if not answer.is_success:
            wait = retry_after(answer.headers.get("Retry-After"))
            raise server_error(_error_body(answer), status=answer.status_code, retry_after=wait)
        return answer.json() if answer.content else None


def _error_body(answer: httpx.Response) -> Data:
    """Return the error of the contract, or one for what a proxy in between has answered."""
    try:
        body = answer.json()
    except ValueError:
        body = None
    if isinstance(body, dict) and "code" in body:
        return body
    return {"code": f"HTTP_{answer.status_code}", "message": answer.text[:200]}
