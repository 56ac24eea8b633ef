"""Questions over UDP, whose answers are noted as evidence that somebody is there."""


def noting(net, exchange):
    """`exchange` of netio.sockets, which notes that something came back, whatever it is."""

    async def noted(*question):
        answer = await exchange(*question)
        net.heard()
        return answer

    return noted
