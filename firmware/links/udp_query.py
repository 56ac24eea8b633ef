"""Queries over UDP (DNS, SNTP). Any answer is noted: it is evidence that the network works."""


def noting(net, exchange):
    """`exchange` of netio.sockets, which calls `net.answered` when anything comes back."""

    async def noted(*question):
        answer = await exchange(*question)
        net.answered()
        return answer

    return noted
