"""Real MQTT brokers for tests, each on a free port of loopback with TLS and one account: mosquitto, ejabberd, aedes.

`KINDS[name](folder, ca, kind)` starts one that presents that kind of certificate; it listens when that returns.
"""

import base64
import getpass
import hashlib
import signal
import subprocess
from pathlib import Path

from paho.mqtt import publish
from paho.mqtt.client import MQTTv5, MQTTv311

from tests_host.support import local_port
from tools.cloud import certs
from tools.env import aedes, ejabberd, mosquitto

PASSWORD = "test-secret-not-real"


class Broker:
    """`versions`: of MQTT, 5 and 4 (3.1.1)."""

    versions: tuple[int, ...] = (5, 4)
    start_s = 10

    def __init__(self, folder: Path, ca: certs.TestCA, kind: str = "good") -> None:
        self.port = local_port.free()
        self.folder, self._ca = folder, ca
        self.leaf = folder / "leaf.pem"
        ca.write_leaf(self.leaf, kind)
        self.prepare()
        self.start()

    def prepare(self) -> None:
        """Write what it reads at the start."""

    def command(self) -> tuple[list[str], dict[str, str] | None]:
        """Command line, and environment where it is not this one."""
        raise NotImplementedError

    def start(self) -> None:
        argv, environment = self.command()
        with (self.folder / "output").open("wb") as output:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment
            )
        if not local_port.answers(self.port, self.start_s):
            self.stop()
            raise AssertionError(f"it does not answer: {(self.folder / 'output').read_text()[-500:]}")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()

    def publish(self, payload: bytes, qos: int, retain: bool = False) -> None:
        publish.single(
            "test/echo", payload, qos, retain, "localhost", self.port, tls={"ca_certs": str(self._ca.pem)},
            auth={"username": "user", "password": PASSWORD},
            protocol=MQTTv5 if 5 in self.versions else MQTTv311,
        )  # fmt: skip


class Mosquitto(Broker):
    def prepare(self) -> None:
        accounts = self.folder / "accounts"
        accounts.write_text(_account("user", PASSWORD))
        (self.folder / "mosquitto.conf").write_text(
            f"listener {self.port} 127.0.0.1\ncertfile {self.leaf}\nkeyfile {self.leaf}\n"
            f"password_file {accounts}\nallow_anonymous false\npersistence false\nuser {getpass.getuser()}\n"
            "max_packet_size 6000\nset_tcp_nodelay true\n"
        )

    def command(self) -> tuple[list[str], dict[str, str] | None]:
        return [*mosquitto.find().argv, "-c", str(self.folder / "mosquitto.conf")], None


def _account(name: str, password: str) -> str:
    """A line of mosquitto's password file: PBKDF2 with SHA-512, as mosquitto_passwd writes it."""
    salt = b"0123456789ab"
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 101)
    return f"{name}:$7$101${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}\n"


class Ejabberd(Broker):
    """A node, by default a single one."""

    start_s = 120
    node = "a@127.0.0.1"
    authentication = "auth_method: internal\n"
    after_start = f'ejabberd_auth:try_register(<<"user">>, <<"localhost">>, <<"{PASSWORD}">>)'
    """Erlang code."""

    def prepare(self) -> None:
        (self.folder / "spool").mkdir()
        self.distribution = local_port.free()
        (self.folder / "ejabberd.yml").write_text(
            f"hosts: [localhost]\nloglevel: warning\ncertfiles: [{self.leaf}]\nlisten:\n"
            f'  - {{port: {self.port}, ip: "127.0.0.1", module: mod_mqtt, tls: true, max_payload_size: 6000}}\n'
            f"{self.authentication}modules: {{mod_mqtt: {{}}}}\n"
        )

    def command(self) -> tuple[list[str], dict[str, str] | None]:
        ejabberd.fetch()
        argv, environment = ejabberd.node(self.node, self.folder, self.distribution)
        return [*argv, "-eval", f"{self.after_start}."], environment


class SecondEjabberd(Ejabberd):
    """Another node, of the cluster of `first`: it has the same accounts."""

    node = "b@127.0.0.2"

    def __init__(self, folder: Path, ca: certs.TestCA, first: Ejabberd) -> None:
        self.first = first
        super().__init__(folder, ca)

    @property
    def after_start(self) -> str:  # type: ignore[override]
        return f"io:format(\"joined: ~p~n\", [ejabberd_cluster:join('{self.first.node}')])"

    def prepare(self) -> None:
        super().prepare()
        self.distribution = self.first.distribution

    def start(self) -> None:
        """It starts a second time when it has joined, with the records of the first."""
        super().start()
        assert local_port.until(lambda: "joined: ok" in (self.folder / "output").read_text(), self.start_s)
        assert local_port.answers(self.port, self.start_s)


class Aedes(Broker):
    versions = (4,)

    def command(self) -> tuple[list[str], dict[str, str] | None]:
        aedes.fetch()
        return [*aedes.argv(), str(self.port), str(self.leaf), "user", PASSWORD], None


KINDS: dict[str, type[Broker]] = {"mosquitto": Mosquitto, "ejabberd": Ejabberd, "aedes": Aedes}
