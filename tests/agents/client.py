"""Talks to `aisandbox mcp` through the client of the official package `mcp`. Arguments: the program. Prints JSON."""
import asyncio
import json
import sys
import time

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


def found(result):
    return json.loads(result.content[0].text)


async def main():
    import os
    server = StdioServerParameters(command=sys.argv[1], args=["mcp"], env=dict(os.environ))
    async with stdio_client(server) as (reading, writing):
        async with ClientSession(reading, writing) as session:
            hello = await session.initialize()
            tools = await session.list_tools()
            wish = lambda path, **more: session.call_tool(
                "request_access", {"action": "read", "resource": path, "why": "to test", **more})
            begun = time.monotonic()
            slow = asyncio.create_task(wish("/slow/a"))
            await asyncio.sleep(0.05)
            denied = await wish("/etc/shadow")
            await session.send_ping()
            between = time.monotonic() - begun
            slow = await slow
            after = time.monotonic() - begun
            pending = await wish("/silent", wait_seconds=1)
            listed = await session.call_tool("list_access", {})
            explained = await session.call_tool("explain_denial", {"id": "8F3K-d1"})
            try:
                wrong = await session.call_tool("request_access", {"action": "read"})
                wrong = "error" if getattr(wrong, "is_error", getattr(wrong, "isError", False)) else "taken"
            except Exception as error:
                wrong = "error"
            version = getattr(hello, "protocol_version", None) or hello.protocolVersion
            print(json.dumps({
                "version": version, "tools": [tool.name for tool in tools.tools], "denied": found(denied),
                "between": between, "slow": found(slow), "after": after, "pending": found(pending),
                "listed": found(listed), "explained": found(explained), "wrong": wrong}))


asyncio.run(main())
