"""The simulated Thinger.io as one pure model: the REST API of its documentation on one side, devices on the other.

It has accounts, devices, who may see them, and the way of a REST call to a device's resource and back. Paths, bodies
and statuses are those of the documentation ("Thinger.io API"); where it is silent, docs/decisions has the choice. A
request is answered through a callback, because the device's answer takes its time.
"""

from __future__ import annotations

import json
import math
import random
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tools.cloud.messages import Request, Response, to_json
from tools.cloud.thinger_port import Device, DevicePort
from tools.cloud.thinger_tokens import NoSuchToken, Tokens

Answer = Callable[[Response], None]
_ID = r"[a-zA-Z0-9_]{1,25}"


class Refusal(Exception):
    """An error answer; only those of `/oauth/token` have a body."""

    def __init__(self, status: int, message: str = "") -> None:
        self.response = _answer(status, {"error": {"message": message}} if message else None)


class Thinger:
    """`now()`: unix seconds. `events` and `violations`: what happened, and what a device did that it may not do.
    `running` False: devices that dial are to be refused."""

    def __init__(self, now: Callable[[], float] = time.time, seed: int | None = None) -> None:
        self.now = now
        self.running = True
        self.accounts: dict[str, str] = {}
        self.devices: dict[tuple[str, str], Device] = {}
        self.tokens = Tokens(random.SystemRandom() if seed is None else random.Random(seed))
        self.events: list[dict[str, Any]] = []
        self.violations: list[dict[str, Any]] = []

    def add_device(self, user: str, device: str, credential: str, description: str = "") -> Device:
        found = Device(user, device, credential, description)
        self.devices[user, device] = found
        return found

    def named(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == name]

    def note(self, name: str, **facts: Any) -> None:
        self.events.append({"event": name, "at": self.now()} | facts)

    def violation(self, text: str) -> None:
        self.violations.append({"at": self.now(), "text": text})

    # What happens at the device's port

    def connection(self, send: Callable[[bytes], None], close: Callable[[], None]) -> DevicePort:
        """A device has dialled."""
        return DevicePort(self, send, close)

    def admits(self, port: DevicePort, user: Any, device: Any, credential: Any) -> Device | None:
        found = (
            self.devices.get((user, device)) if isinstance(user, str) and isinstance(device, str) else None
        )
        if not found or found.credential != credential:
            self.note("login_refused", device=device)
            return None
        if found.port:
            found.port.end()
        found.port, found.ts, found.rx, found.tx = port, int(self.now() * 1000), 0, 0
        self.note("login", device=device)
        return found

    def left(self, port: DevicePort) -> None:
        if port.device and port.device.port is port:
            port.device.port, port.device.ts = None, int(self.now() * 1000)
            self.note("left", device=port.device.id)

    # What a person asks

    def handle(self, request: Request, answer: Answer) -> Callable[[], None]:
        """Answer one request, at once or later. What is returned gives up waiting for a device."""
        try:
            return self._route(request, answer)
        except Refusal as refusal:
            answer(refusal.response)
        except NoSuchToken:
            answer(_answer(401))
        except (RecursionError, UnicodeEncodeError):  # JSON that no frame can hold
            answer(_answer(400))
        return lambda: None

    def _route(self, request: Request, answer: Answer) -> Callable[[], None]:
        url = urlsplit(request.path)
        for methods, pattern, verb in _ROUTES:
            match = re.fullmatch(pattern, url.path)
            if match and request.method in methods:
                return verb(self, request, answer, *(unquote(part) for part in match.groups())) or (
                    lambda: None
                )
        raise Refusal(404)

    def _oauth(self, request: Request, answer: Answer) -> None:
        if request.headers.get("content-type", "").split(";")[0] != "application/x-www-form-urlencoded":
            raise Refusal(400)
        form = {name: values[0] for name, values in parse_qs(request.body.decode("utf-8", "replace")).items()}
        if form.get("grant_type") == "password":
            user = form.get("username", "")
            if user not in self.accounts or self.accounts[user] != form.get("password"):
                raise Refusal(401, "invalid username or password")
            answer(_answer(200, self.tokens.login(user, self.now())))
        elif form.get("grant_type") == "refresh_token":
            try:
                answer(_answer(200, self.tokens.refresh(form.get("refresh_token", ""), self.now())))
            except NoSuchToken:
                raise Refusal(401, "invalid refresh token") from None
        else:
            raise Refusal(400)

    def allow(self, request: Request, user: str, device: str = "", resource: str | None = None) -> None:
        """NoSuchToken unless the request may do this. A device's token opens its resources and nothing else."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind != "Bearer":
            token = parse_qs(urlsplit(request.path).query).get("authorization", [""])[0]
        claims = self.tokens.claims(token, self.now())
        good = claims.get("usr") == user
        if "dev" in claims:
            found = self.devices.get((user, device))
            good = good and claims["dev"] == device and resource in claims.get("res", [resource])
            good = good and resource is not None and found is not None and claims["jti"] in found.tokens
        if not good:
            raise NoSuchToken

    def device(self, user: str, device: str) -> Device:
        if (user, device) not in self.devices:
            raise Refusal(404)
        return self.devices[user, device]

    def _list(self, request: Request, answer: Answer, user: str) -> None:
        self.allow(request, user)
        wanted = parse_qs(urlsplit(request.path).query).get("id", [""])[0]
        if wanted and not re.fullmatch(_ID, wanted):
            raise Refusal(400)
        mine = [device for device in self.devices.values() if device.user == user]
        found = [device.listed() for device in mine if wanted in ("", device.id)]
        if wanted and not found:
            raise Refusal(404)
        answer(_answer(200, found))

    def _create(self, request: Request, answer: Answer, user: str) -> None:
        self.allow(request, user)
        body = _object(request)
        fields = [body.get(f"device_{name}") for name in ("id", "credentials", "description")]
        texts = [value for value in fields if isinstance(value, str)]
        if len(texts) < len(fields):
            raise Refusal(400)
        name, credential, description = texts
        if not re.fullmatch(_ID, name) or (user, name) in self.devices:
            raise Refusal(400)
        self.add_device(user, name, credential, description)
        answer(_answer(200))

    def _delete(self, request: Request, answer: Answer, user: str, device: str) -> None:
        self.allow(request, user)
        if self.device(user, device).port:
            raise Refusal(400)
        del self.devices[user, device]
        answer(_answer(200))

    def _stats(self, request: Request, answer: Answer, user: str, device: str) -> None:
        self.allow(request, user)
        if not re.fullmatch(_ID, device):
            raise Refusal(400)
        answer(_answer(200, self.device(user, device).stats()))

    def _tokens(self, request: Request, answer: Answer, user: str, device: str) -> None:
        self.allow(request, user)
        found = self.device(user, device)
        if request.method == "GET":
            answer(_answer(200, list(found.tokens.values())))
            return
        body = _object(request)
        resources = body.get("token_resources", [])
        expiration = body.get("token_expiration", 0)
        if not isinstance(body.get("token_name"), str) or not _is_moment(expiration):
            raise Refusal(400)
        if not isinstance(resources, list) or not all(isinstance(name, str) for name in resources):
            raise Refusal(400)
        number = self.tokens.new_id()
        claims: dict[str, Any] = {"dev": device, "iat": int(self.now()), "jti": number, "usr": user}
        if "token_expiration" in body:
            claims["exp"] = int(expiration // 1000)
        if "token_resources" in body:
            claims["res"] = resources
        made = {"id": number, "name": body["token_name"], "token": self.tokens.sign(claims)}
        found.tokens[number] = made
        answer(_answer(200, made))

    def _revoke(self, request: Request, answer: Answer, user: str, device: str, token: str) -> None:
        self.allow(request, user)
        if not self.device(user, device).tokens.pop(token, None):
            raise Refusal(404)
        answer(_answer(200))

    def _resource(self, request: Request, answer: Answer, user: str, device: str, resource: str,
                  kind: str = "RUN") -> Callable[[], None]:  # fmt: skip
        self.allow(request, user, device, resource)
        port = self.device(user, device).port
        if not port:
            raise Refusal(404)
        fields = {"payload": _object(request)["in"]} if request.method == "POST" else {}
        if resource:
            fields["resource"] = resource
        number = port.call(lambda *outcome: answer(_outcome(kind, *outcome)), kind, **fields)
        return lambda: port.forget(number)

    def _describe(self, request: Request, answer: Answer, user: str, device: str,
                  resource: str = "") -> Callable[[], None]:  # fmt: skip
        return self._resource(request, answer, user, device, resource, "DESCRIBE")


def _object(request: Request) -> dict[str, Any]:
    """The body, which is a JSON object, and has `in` where it goes to a resource."""
    try:
        body = json.loads(request.body)
    except ValueError:
        raise Refusal(400) from None
    if not isinstance(body, dict) or (request.path.startswith("/v2/") and "in" not in body):
        raise Refusal(400)
    return body


def _is_moment(value: Any) -> bool:
    """Whether it is a number of milliseconds."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _outcome(kind: str, word: str, fields: dict[str, Any]) -> Response:
    """A device's answer in terms of HTTP."""
    if word == "OK":
        if "payload" not in fields:
            return _answer(200)
        return _answer(200, fields["payload"] if kind == "DESCRIBE" else {"out": fields["payload"]})
    status = fields.get("parameters")
    known = status if isinstance(status, int) and 400 <= status < 600 else 404
    return _answer(known, fields.get("payload"))


def _answer(status: int, body: Any = None) -> Response:
    if body is None:
        return Response(status)
    return Response(status, {"Content-Type": "application/json"}, to_json(body))


_DEVICES = r"/v1/users/([^/]+)/devices"
_RESOURCE = r"/v2/users/([^/]+)/devices/([^/]+)"
_ROUTES: tuple[tuple[str, str, Any], ...] = (
    ("POST", r"/oauth/token", Thinger._oauth),
    ("GET", _DEVICES, Thinger._list),
    ("POST", _DEVICES, Thinger._create),
    ("DELETE", rf"{_DEVICES}/([^/]+)", Thinger._delete),
    ("GET", rf"{_DEVICES}/([^/]+)/stats", Thinger._stats),
    ("GET POST", rf"{_DEVICES}/([^/]+)/tokens", Thinger._tokens),
    ("DELETE", rf"{_DEVICES}/([^/]+)/tokens/([^/]+)", Thinger._revoke),
    ("GET", rf"{_RESOURCE}/api", Thinger._describe),
    ("GET", rf"{_RESOURCE}/([^/]+)/api", Thinger._describe),
    ("GET POST", rf"{_RESOURCE}/([^/]+)", Thinger._resource),
)
