"""The HTTPS link of a real board at other servers than the simulated cloud: behind an nginx, and with HTTP/1.0."""

import contextlib
import os
import subprocess
from pathlib import Path

import pytest

from tests_host.support import local_port
from tools.env import nginx
from tools.fixture.system import SystemFixture

pytestmark = pytest.mark.thorough

_CONFIG = """\
{user}daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  gzip on;
  gzip_types *;
  gzip_min_length 0;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {leaf};
    ssl_certificate_key {leaf};
    ssl_protocols TLSv1.2 TLSv1.3;
    keepalive_requests 5;
    location / {{
      proxy_pass https://127.0.0.1:{upstream};
      proxy_set_header Host $http_host;
    }}
  }}
}}
"""


class Front:
    """An nginx that ends a connection after five requests, and speaks HTTP/1.0 to the cloud behind it, as it does when
    nothing is said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = local_port.free()

    def errors(self):
        return (self.folder / "error.log").read_text()

    @contextlib.contextmanager
    def running(self, site):
        leaf = site.certs.write_leaf(self.folder / "leaf.pem", "good")
        config = self.folder / "nginx.conf"
        user = "user root;\n" if os.geteuid() == 0 else ""
        places = {"folder": self.folder, "port": self.port, "leaf": leaf, "upstream": site.server.port}
        config.write_text(_CONFIG.format(user=user, **places))
        options = ["-p", self.folder, "-e", self.folder / "error.log", "-c", config]
        process = subprocess.Popen([*nginx.fetch(), *options], stdin=subprocess.DEVNULL)
        try:
            assert local_port.answers(self.port, 10)
            yield
        finally:
            process.terminate()
            process.wait(10)


def behind(front):
    return lambda config: config["cloud"].update(base_url=f"https://api.realer.test:{front.port}")


async def works(fixture):
    """The pump follows, and the cloud hears of it."""
    for on in (1, 0):
        fixture.want("6", on)
        await fixture.until(f"the pump is {on}", lambda on=on: fixture.on("pump") == bool(on), 20)
        await fixture.until("that is reported", lambda on=on: fixture.reported("6") == f"{on}.0", 20)


@pytest.mark.long
async def test_a_device_works_behind_an_nginx_and_comes_back_after_502(roomiest, tmp_path):
    front = Front(tmp_path)
    async with SystemFixture(roomiest, edit=behind(front), powered=False) as fixture:
        with front.running(fixture.site):
            await fixture.board.power_on()
            await fixture.online(40)
            await works(fixture)
            reads = fixture.polls()
            await fixture.until(
                "more than one connection's requests", lambda: fixture.polls() > reads + 6, 40
            )
            # Without the cloud behind it the server answers 502 and a page of HTML.
            await fixture.site.server.down()
            await fixture.until("a 502", lambda: "connect() failed" in front.errors(), 40)
            await fixture.site.server.up()
            reads = fixture.polls()
            await fixture.until("it is back", lambda: fixture.polls() > reads, 60)
            await works(fixture)
    assert fixture.model.violations == []


@pytest.mark.long
async def test_a_device_works_with_a_server_of_http_1_0(roomiest):
    async with SystemFixture(roomiest, powered=False) as fixture:
        fixture.site.faults.add("any http10")
        await fixture.board.power_on()
        await fixture.online(40)
        await works(fixture)
        # Each answer ends its connection.
        assert fixture.site.server.handshakes >= fixture.site.server.requests - 1 > 4
    assert fixture.model.violations == []
