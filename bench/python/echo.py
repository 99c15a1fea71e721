#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""An echo server as an asyncio Protocol (faster than its streams): echo.py asyncio|uvloop."""

import asyncio
import sys


class Echo(asyncio.Protocol):
    """Both loops switch TCP_NODELAY on by themselves."""

    def connection_made(self, transport):
        self.write = transport.write

    def data_received(self, data):
        self.write(data)


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", 0, backlog=4096)
    print("PORT", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if sys.argv[1] == "uvloop":
    import uvloop

    uvloop.install()
asyncio.run(main())
