"""Asks the hosts of world.py by the libraries that Python programs use; a line for each."""
import asyncio, sys

URL = "https://site.test/py"


def said(name, ask):
    try:
        print(name, ask(), flush=True)
    except Exception as error:
        while error.__context__ and "alert" not in str(error):
            error = error.__context__
        print(name, type(error).__name__, str(error).replace("\n", " "), flush=True)


def plain():
    import urllib.request
    return urllib.request.urlopen(URL, b"hello", 120).read().decode().strip()


def with_requests():
    import requests
    with requests.Session() as session:
        return [session.post(URL, data=b"hello", timeout=120).text.strip() for _ in range(2)]


def with_httpx():
    import httpx
    with httpx.Client(http2=True, timeout=120) as client:
        answers = [client.post(URL, content=b"hello") for _ in range(2)]
        with client.stream("GET", "https://site.test/events") as events:
            events = [line for line in events.iter_lines() if line]
    return [answers[0].http_version, answers[1].text.strip(), events]


def with_aiohttp():
    import aiohttp

    async def ask():
        async with aiohttp.ClientSession() as session, session.post(URL, data=b"hello") as answer:
            return (await answer.text()).strip()
    return asyncio.run(ask())


def with_websockets():
    import websockets.sync.client
    with websockets.sync.client.connect("wss://site.test/ws", open_timeout=120) as socket:
        heard = []
        for text in "hello", "x" * 100_000:
            socket.send(text)
            heard.append(len(socket.recv(120)))
    return heard


def with_grpc():
    import grpc
    with grpc.secure_channel("grpc.test:443", grpc.ssl_channel_credentials()) as channel:
        answer, call = channel.unary_unary("/test.Echo/Once").with_call(b"hello", timeout=120)
        often = list(channel.unary_stream("/test.Echo/Often")(b"", timeout=120))
        return [answer, dict(call.trailing_metadata()), often]


def in_threads():
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(8) as pool:
        return len(list(pool.map(lambda _: plain(), range(24))))


for name, ask in [("urllib", plain), ("requests", with_requests), ("httpx", with_httpx), ("aiohttp", with_aiohttp),
                  ("websockets", with_websockets), ("grpc", with_grpc), ("threads", in_threads)]:
    if len(sys.argv) == 1 or name in sys.argv[1:]:
        said(name, ask)
