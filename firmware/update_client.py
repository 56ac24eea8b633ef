"""The HTTP client for an update where there is no memory for it beside the HTTPS half of the link."""

from http1.client import Client


def client(account, host, port):
    """Return a Client that uses the receive buffer of the link, which is closed meanwhile."""
    return Client(account.net, account.clock, host, port, account.view)
