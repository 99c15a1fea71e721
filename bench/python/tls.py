# SPDX-License-Identifier: MIT
"""Bytes through one TLS connection over the loopback address, with asyncio at both ends.

    tls.py asyncio|uvloop NAME MEGABYTES CHAIN KEY
"""

import asyncio
import ssl
import sys
import time

BLOCK = 256 * 1024


async def flow(name, total, chain, key):
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(chain, key)
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = False
    client_context.verify_mode = ssl.CERT_NONE

    async def serve(_, writer):
        data = bytes(BLOCK)
        for _ in range(0, total, BLOCK):
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_context)
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client_context,
                                                   limit=BLOCK)
    got = 0
    start = time.perf_counter()
    while data := await reader.read(BLOCK):
        got += len(data)
    duration = time.perf_counter() - start
    if got < total:
        sys.exit("cut off")
    print(f"{name} {got / 1e6 / duration:.4f}")
    writer.close()
    server.close()


def main():
    loop, name, megabytes, chain, key = sys.argv[1:]
    if loop == "uvloop":
        import uvloop
        uvloop.install()
    asyncio.run(flow(name, int(megabytes) * 1000000, chain, key))


main()
