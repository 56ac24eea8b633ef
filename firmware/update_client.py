"""An HTTP client for an update where the HTTPS half of the link is not loaded: on MQTT, whose memory a bundle needs."""

from http1.client import Client


def client(account, host, port):
    """A Client that uses the buffer of the link, which is closed meanwhile."""
    return Client(account.net, account.clock, host, port, account.view)
