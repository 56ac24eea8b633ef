"""The simulated Realer cloud as one pure model: requests in, responses out, time passed in.

It routes a request to the file of an API generation (`oauth_server.py`, `iot_v1.py`; a new generation is one more file
with an `answer`), and a new desired value to the broker (`mqtt_feed.py`). `state.py` has what the cloud knows. `now` is
unix seconds; `faults.py` adds misbehaviour outside.
"""

from __future__ import annotations

from email.utils import formatdate

from tools.cloud import contract, iot_v1, mqtt_feed, oauth_server, realino_v1
from tools.cloud.entities import Command, DesiredState, Device, MqttOffer, Plan, Sensor, Served
from tools.cloud.messages import OAuthRefusal, Refusal, Request, Response, to_json
from tools.cloud.state import CloudState

__all__ = ["Command", "Device", "Model", "MqttOffer", "Plan", "Request", "Response", "Sensor", "Served"]


class Model(CloudState):
    """One cloud with its devices and the generations of its API; see CloudState."""

    def handle(self, request: Request, now: float) -> Response:
        """Answer one request at `now` (unix seconds). Never raises for what a device does."""
        for watcher in self.watchers:
            watcher(request)
        response, schema = self._respond(request, now)
        headers = {"Date": formatdate(now, usegmt=True)}
        if response.status != 304:
            contract.assert_own(schema, response.body)
            headers["Content-Type"] = "application/json; charset=utf-8"
        return self.on_answer(request, Response(response.status, headers | response.headers, response.body))

    def _respond(self, request: Request, now: float) -> tuple[Response, str]:
        try:
            return self._route(request, now)
        except Refusal as refusal:
            headers = {}
            if refusal.status == 429 and self.plan.retry_after:
                headers["Retry-After"] = str(max(1, round(self.plan.min_interval_s)))
            if request.path.startswith(realino_v1.PREFIX):
                return realino_v1.refused(refusal, headers), "realino-error-response"
            body = {"code": refusal.code, "error": refusal.error(), "request_id": self.new_request_id()}
            return Response(refusal.status, headers, to_json(body)), "http-error-response"
        except OAuthRefusal as refusal:
            return oauth_server.refused(refusal, self.new_request_id()), "oauth-error-response"

    def _route(self, request: Request, now: float) -> tuple[Response, str]:
        if "?" in request.path:
            self.violation(now, request, "no endpoint takes a query string")
        if request.method == "GET" and request.body:
            self.violation(now, request, "a GET carries no body")
        path = request.path.split("?")[0]
        if not path.isascii():
            path = ""
        for prefix, generation in (
            ("/oauth/", oauth_server),
            ("/iot/v1/", iot_v1),
            (realino_v1.PREFIX, realino_v1),
        ):
            if path.startswith(prefix) and (self.served.iot or generation is realino_v1):
                return generation.answer(self, request, path, now)
        if self.served.iot:
            self.violation(now, request, "unknown path")
        raise Refusal(404)

    def announce(self, device: Device, command: Command, state: DesiredState, now: float) -> None:
        """Tell the broker about a desired state; a device without a session has to find it in its catalog."""
        if self.port:
            self.port.desired(*mqtt_feed.desired(self, device, command, state, now))
