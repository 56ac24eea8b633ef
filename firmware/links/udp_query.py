"""Records any answer to a UDP query (DNS, SNTP): it is evidence that the network works."""


def noting(net, exchange):
    """Return `exchange` (see netio.sockets), extended to call `net.answered()` for each answer."""

    async def noted(*question):
        answer = await exchange(*question)
        net.answered()
        return answer

    return noted
