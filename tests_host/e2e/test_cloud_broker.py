"""The real mosquitto of the simulated cloud, with paho playing device: who gets in, what goes where, what breaks."""

import asyncio
import contextlib
import ssl

import pytest

from tests_host.support.mqttdevice import MqttDevice, report
from tools.cloud import dynsec
from tools.cloud.brokerlog import BrokerLog, News
from tools.cloud.brokerprocess import BrokerError
from tools.cloud.demo_device import CLIENT_ID, demo_device
from tools.cloud.entities import Device, Plan
from tools.cloud.mqttclient import LOST, MqttClient, Refused
from tools.cloud.site import Site

NOT_AUTHORIZED, KICKED, TAKEN_OVER, LISTENER_GONE = 0x87, 0x98, 0x8E, 0x8B
NOW = 1_800_000_000.0


class Setting:
    """A site with a broker, a clock that a test moves, and the devices that were made."""

    def __init__(self, folder):
        self.now = NOW
        self.site = Site(certs=folder / "certs", connection_file=None, clock=lambda: self.now, mqtt=True)
        self.model, self.faults = self.site.model, self.site.faults
        self.model.add_device(demo_device())
        self.devices = []

    @contextlib.asynccontextmanager
    async def running(self):
        async with self.site:
            yield self
            for device in self.devices:
                await device.off()

    def device(self):
        self.devices.append(MqttDevice(self.model, self.now))
        return self.devices[-1]

    async def online(self):
        return await self.device().online(self.site)

    async def happened(self, name, **facts):
        """Wait for an event with these facts."""
        for _ in range(500):
            for event in self.model.named(name):
                if facts.items() <= event.items():
                    return event
            await asyncio.sleep(0.01)
        raise AssertionError(f"no {name} {facts} in {self.model.events[-10:]}")


@pytest.fixture
def setting(tmp_path):
    return Setting(tmp_path)


async def silent(device, for_s=0.3):
    """Nothing comes for a while."""
    await asyncio.sleep(for_s)
    return device.inbox.empty()


# The ordinary way.


async def test_a_reading_is_acknowledged_and_a_desired_state_is_acknowledged(setting):
    async with setting.running():
        device = await setting.online()
        assert await device.publish(device.topic("sensor", 1), report("m-1", "21.5")) == 0
        assert await device.message() == {
            "version": 1,
            "status": "accepted",
            "retryable": False,
            "message_id": "m-1",
        }
        setting.model.set_desired(12345, "6", 1, setting.now)
        desired_state = await device.message()
        assert (
            desired_state["value"],
            desired_state["sequence_number"],
            desired_state["valid_for_seconds"],
        ) == ("1.0", 1, 300)
        answer = report("m-2", "1.0", desired_id=desired_state["desired_id"], sequence_number=1)
        assert await device.publish(device.topic("command", 1), answer) == 0
        assert (await device.message())["desired_id"] == desired_state["desired_id"]
        assert setting.model.outcome(12345, desired_state["desired_id"]) == "applied"
        assert setting.model.reported(12345, "6") == "1.0"
        await setting.happened("desired_published", delivered=True, sequence=1)
        await setting.happened("mqtt_connected", device="12345")
    assert setting.model.violations == []


async def test_a_site_without_mqtt_has_no_broker(tmp_path):
    async with Site(certs=tmp_path, connection_file=None) as site:
        assert (site.broker, site.addresses()["mqtt_port"], site.model.offer.url) == (None, None, "")


# Who is kept out, and from what.


async def refusal(device, setting, password=None):
    with pytest.raises(Refused) as refused:
        await device.connect(setting.site, password)
    return refused.value.reason


async def test_only_the_exact_credentials_are_accepted(setting):
    async with setting.running():
        device = setting.device()
        device.prepare()
        assert await refusal(device, setting, device.token) == NOT_AUTHORIZED
        other = MqttClient(
            "cdv_" + "2" * 26, device.credentials["mqtt_username"], device.credentials["mqtt_credential"]
        )
        with pytest.raises(Refused):
            await other.connect(setting.site.broker.port, setting.site.certs.client())
        await device.connect(setting.site)
        await setting.happened("mqtt_refused")


async def test_a_device_reads_and_writes_its_own_topics_only(setting):
    setting.model.add_device(Device(2, "cdv_" + "2" * 26, "test-secret-not-real"))
    async with setting.running():
        device = await setting.online()
        foreign = device.acks.replace(CLIENT_ID, "cdv_" + "2" * 26)
        unknown = device.topic("sensor", 1).replace("rte_", "rte_0")
        for topic in (foreign, "#", device.acks + "/#", device.topic("sensor", 1), dynsec.ANSWERS, "$SYS/#"):
            assert await device.mqtt.subscribe([topic]) == [NOT_AUTHORIZED]
            await setting.happened("violation", method="SUBSCRIBE", path=topic)
        for topic in (foreign, unknown, device.acks, device.topic("command", 1, "desired"), dynsec.CONTROL):
            assert await device.publish(topic, report()) == NOT_AUTHORIZED
            await setting.happened("violation", method="PUBLISH", path=topic)
        assert len(setting.model.violations) == 11
        assert setting.model.feed(12345) == []


async def test_mqtt_without_tls_is_refused(setting):
    async with setting.running():
        reader, writer = await asyncio.open_connection("127.0.0.1", setting.site.broker.port)
        writer.write(bytes.fromhex("100f00044d5154540502003c0000026964"))
        with contextlib.suppress(ConnectionError):
            assert (await asyncio.wait_for(reader.read(), 5))[:1] != b"\x20"
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@pytest.mark.parametrize("kind", ["wrong_name", "expired", "unknown_ca"])
async def test_a_wrong_certificate_is_shown_on_demand(setting, kind):
    async with setting.running():
        await setting.site.broker.present(kind)
        where = {"host": "127.0.0.1", "port": setting.site.broker.port, "server_hostname": "mqtt.realer.test"}
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection(**where, ssl=setting.site.certs.client())
        await setting.site.broker.present("good")
        await setting.online()


# The end of credentials and of sessions.


@pytest.mark.parametrize(
    "end",
    [
        lambda setting, device: device.oauth("revoke", {"token": device.token}),
        lambda setting, device: setting.model.revoke_tokens(12345, setting.now),
        lambda setting, device: setting.model.set_keys(12345, False, setting.now),
        lambda setting, device: setting.model.set_subscription(12345, False, setting.now),
    ],
)
async def test_every_end_of_the_credentials_ends_their_session(setting, end):
    async with setting.running():
        device = await setting.online()
        end(setting, device)
        assert await device.end() == KICKED
        assert await refusal(device, setting) == NOT_AUTHORIZED
        assert setting.model.sessions == {}


async def test_credentials_expire_with_age(setting):
    setting.model.plan = Plan(credential_s=60)
    async with setting.running():
        device = await setting.online()
        setting.now += 59
        assert await device.publish(device.topic("sensor", 1), report()) == 0
        setting.now += 1
        assert await device.end() == KICKED
        assert await refusal(device, setting) == NOT_AUTHORIZED
        await setting.happened("credential_ended", reason="expired")


# The broker misbehaves as a whole.


async def test_down_refuses_and_up_knows_every_account_that_is_still_good(setting):
    async with setting.running():
        broker, device, ended = setting.site.broker, await setting.online(), setting.device()
        ended.prepare()
        port = broker.port
        await broker.down()
        assert await device.end() in (LISTENER_GONE, LOST)
        with pytest.raises(OSError):
            await device.connect(setting.site)
        setting.model.set_desired(12345, "6", 1, setting.now)
        await setting.happened("desired_published", delivered=False)
        setting.model.end_credentials(setting.now, "test", username=ended.credentials["mqtt_username"])
        late = setting.device()
        late.prepare()
        await broker.up()
        await broker.up()
        assert broker.port == port
        assert await refusal(ended, setting) == NOT_AUTHORIZED
        await device.connect(setting.site)
        await late.connect(setting.site)


async def test_a_frozen_broker_answers_when_it_is_thawed(setting):
    async with setting.running():
        device = await setting.online()
        setting.site.broker.freeze()
        publish = asyncio.create_task(device.publish(device.topic("sensor", 1), report()))
        assert await silent(device) and not publish.done()
        setting.site.broker.thaw()
        assert await publish == 0
        assert (await device.message())["status"] == "accepted"


async def test_a_broker_that_does_not_start_reports_the_reason(setting):
    async with setting.running():
        other = Site(certs=setting.site.certs.folder, connection_file=None, mqtt=True)
        other.broker.port = setting.site.broker.port
        with pytest.raises(BrokerError, match="Address already in use"):
            await other.__aenter__()


# What the log says, of more versions than the one that runs here.


def test_news_from_the_log():
    log = BrokerLog()
    lines = [
        "mosquitto version 2.0.18 running",
        "New client connected from 127.0.0.1:4711 as cdv_1 (p5, c1, k60, u'realer-cdv_1-cred-v1').",
        "Received SUBSCRIBE from cdv_1",
        "\ta/acks (QoS 1)",
        "cdv_1 1 a/acks",
        "\tb/acks (QoS 1)",
        "Sending SUBACK to cdv_1",
        "Denied PUBLISH from cdv_1 (d0, q1, r0, m7, 'it's/odd', ... (3 bytes))",
        "Client cdv_1 [127.0.0.1:4711] disconnected.",
        "Client cdv_2 closed its connection.",
        "Client cdv_3 has exceeded timeout, disconnecting.",
        "Client cdv_4 been disconnected by administrative action.",
        "Client cdv_5 disconnected: Protocol error.",
        "Socket error on client cdv_6, disconnecting.",
        "Client <unknown> disconnected, not authorised.",
        "New connection from 127.0.0.1:60730 on port 26362.",
        "New connection from /tmp/broker/backend on port 0.",
    ]
    assert [news for line in lines for news in log.read(line)] == [
        News("opened", "cdv_1", ("realer-cdv_1-cred-v1",)),
        News("subscribed", "cdv_1", ("a/acks",)),
        News("denied", "cdv_1", ("SUBSCRIBE", "b/acks")),
        News("denied", "cdv_1", ("PUBLISH", "it's/odd")),
        News("closed", "cdv_1", ("disconnected",)),
        News("closed", "cdv_2", ("closed its connection",)),
        News("closed", "cdv_3", ("has exceeded timeout, disconnecting",)),
        News("closed", "cdv_4", ("been disconnected by administrative action",)),
        News("closed", "cdv_5", ("disconnected: Protocol error",)),
        News("closed", "cdv_6", ("connection lost",)),
        News("refused"),
        News("dialed"),
    ]
