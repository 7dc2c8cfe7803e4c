"""The world that the clients of these tests are in: a network namespace with a few hosts, until standard input ends.

Started by main.rs with `unshare`, in namespaces of its own, in a folder that it fills: hosts, certificates, packages. The
hosts are addresses of the loopback; nothing leads out of it.
"""
import asyncio, base64, ctypes, fcntl, hashlib, io, json, os, pathlib, shutil, socket, struct, subprocess, sys, tarfile, threading, zipfile
from concurrent import futures

import asyncssh, grpc, hypercorn.asyncio, hypercorn.config

FOLDER = pathlib.Path.cwd()
PLACES = sys.argv[1:]  # NAME=FOLDER, to be shown as /mnt/NAME
HOSTS = {"site.test": "127.0.0.1", "grpc.test": "127.0.0.2", "git.test": "127.0.0.3", "other.test": "127.0.0.1",
         "away.test": "127.0.0.9"}
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


def run(*words, **more):
    return subprocess.run(words, check=True, stdin=subprocess.DEVNULL, capture_output=True, **more).stdout


def mount(source, target, kind, flags, words=None):
    """mount(2): mount(8) does this for root only."""
    told = [None if word is None else os.fsencode(word) for word in (source, target, kind)]
    if ctypes.CDLL(None, use_errno=True).mount(*told, ctypes.c_ulong(flags), words and words.encode()):
        raise OSError(ctypes.get_errno(), f"mount {source} at {target}")


def bind(source, target):
    mount(source, target, None, 0x1000)  # MS_BIND


def authority():
    """An authority of this world's own, and a certificate for all its hosts."""
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    run("openssl", "req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=world of a test")
    names = ",".join("DNS:" + name for name in HOSTS)
    run("openssl", "req", "-x509", *curve, "-keyout", "key.pem", "-out", "leaf.pem", "-subj", "/CN=site.test",
        "-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "subjectAltName=" + names,
        "-addext", "basicConstraints=critical,CA:FALSE")


def machine():
    """The files and the interface of a machine that knows these hosts and this authority, and tools where all can read."""
    (FOLDER / "hosts").write_text("127.0.0.1 localhost\n" + "".join(f"{ip} {name}\n" for name, ip in HOSTS.items()))
    bind("hosts", "/etc/hosts")
    bind("ca.pem", BUNDLE)
    mount("tmpfs", "/mnt", "tmpfs", 0, "mode=755")
    for place in PLACES:
        name, source = place.split("=", 1)
        os.mkdir("/mnt/" + name)
        bind(source, "/mnt/" + name)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = bytearray(struct.pack("16sH14x", b"lo", 0))
        fcntl.ioctl(any_socket, 0x8913, request)  # SIOCGIFFLAGS
        name, flags = struct.unpack_from("16sH", request)
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14x", name, flags | 1))  # SIOCSIFFLAGS, IFF_UP


def packed(files):
    """A tar archive, compressed."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return out.getvalue()


def packages():
    """The same tiny package for pip, npm and cargo, as registries lay it out. By path: what is served there."""
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as archive:
        info = "tinypack-1.0.dist-info"
        archive.writestr("tinypack.py", "print('tiny of pip')\n")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tinypack\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"tinypack.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    about = {"name": "tinypack", "version": "1.0.0", "main": "index.js", "bin": {"tinypack": "index.js"}}
    npm = packed({"package/package.json": json.dumps(about), "package/index.js": "console.log('tiny of npm')\n"})
    (FOLDER / "tinypack.tgz").write_bytes(npm)  # to compare with
    sha512 = subprocess.run(["openssl", "dgst", "-sha512", "-binary"], input=npm, capture_output=True, check=True).stdout
    dist = {"tarball": "https://site.test/npm/tinypack.tgz", "integrity": "sha512-" + base64.b64encode(sha512).decode()}
    metadata = {"name": "tinypack", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": about | {"dist": dist}}}
    manifest = '[package]\nname = "tinypack"\nversion = "1.0.0"\nedition = "2021"\n'
    crate = packed({"tinypack-1.0.0/Cargo.toml": manifest,
                    "tinypack-1.0.0/src/main.rs": 'fn main() { println!("tiny of cargo"); }\n'})
    line = {"name": "tinypack", "vers": "1.0.0", "deps": [], "features": {}, "yanked": False,
            "cksum": hashlib.sha256(crate).hexdigest()}
    link = '<a href="/pip/tinypack-1.0-py3-none-any.whl">tinypack-1.0-py3-none-any.whl</a>'
    page = (b"<body><script>const ask = new XMLHttpRequest(); ask.open('POST', '/asked', false); ask.send('hello');"
            b"document.body.append(ask.responseText)</script>")
    return {
        "/page": ("text/html", page),
        "/pip/simple/tinypack/": ("text/html", link.encode()),
        "/pip/tinypack-1.0-py3-none-any.whl": ("application/octet-stream", wheel.getvalue()),
        "/npm/tinypack": ("application/json", json.dumps(metadata).encode()),
        "/npm/tinypack.tgz": ("application/octet-stream", npm),
        "/cargo/config.json": ("application/json", b'{"dl": "https://site.test/cargo/dl"}'),
        "/cargo/ti/ny/tinypack": ("text/plain", json.dumps(line).encode()),
        "/cargo/dl/tinypack/1.0.0/download": ("application/octet-stream", crate),
    }


def repository():
    """A repository with one commit, which can be pushed to."""
    who = {"GIT_CONFIG_GLOBAL": "/dev/null", "PATH": os.environ["PATH"], "HOME": str(FOLDER)}
    for role in "AUTHOR", "COMMITTER":
        who |= {f"GIT_{role}_NAME": "test", f"GIT_{role}_EMAIL": "test@site.test"}
    run("git", "init", "-q", "-b", "main", "source", env=who)
    (FOLDER / "source/file").write_text("of the repository\n")
    run("git", "-C", "source", "add", "file", env=who)
    run("git", "-C", "source", "commit", "-q", "-m", "first", env=who)
    run("git", "clone", "-q", "--bare", "source", "repo.git", env=who)
    run("git", "-C", "repo.git", "config", "http.receivepack", "true", env=who)


async def git(scope, body, send):
    """git-http-backend(1)."""
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    environment = {
        "GIT_PROJECT_ROOT": str(FOLDER), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": scope["path"].removeprefix("/git"),
        "QUERY_STRING": scope["query_string"].decode(), "REQUEST_METHOD": scope["method"], "PATH": os.environ["PATH"],
        "CONTENT_TYPE": headers.get("content-type", ""), "CONTENT_LENGTH": str(len(body)),
        "HTTP_CONTENT_ENCODING": headers.get("content-encoding", ""), "HTTP_GIT_PROTOCOL": headers.get("git-protocol", ""),
        "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
    }
    program = await asyncio.create_subprocess_exec("git", "http-backend", env=environment, stdin=-1, stdout=-1)
    said, _ = await program.communicate(body)
    head, _, rest = said.partition(b"\r\n\r\n")
    lines = [tuple(part.strip() for part in line.split(b":", 1)) for line in head.split(b"\r\n")]
    status = next((int(value[:3]) for name, value in lines if name == b"Status"), 200)
    await send({"type": "http.response.start", "status": status, "headers": [(name.lower(), value) for name, value in lines]})
    await send({"type": "http.response.body", "body": rest})


async def site(scope, receive, send):
    """Serves packages, git, a WebSocket that says back what it hears, events, and elsewhere what was asked, as JSON."""
    if scope["type"] == "lifespan":
        return
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (heard := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": "heard " + heard["text"]})
        return
    body = b""
    while True:
        part = await receive()
        body += part.get("body", b"")
        if not part.get("more_body"):
            break
    if scope["path"].startswith("/git/"):
        return await git(scope, body, send)
    if scope["path"] == "/dns":  # a name server that says 192.0.2.7 whatever the question (RFC 8484)
        question = body or base64.urlsafe_b64decode(scope["query_string"].partition(b"=")[2] + b"==")
        answer = question[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + question[12:] + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\7"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/dns-message")]})
        return await send({"type": "http.response.body", "body": answer})
    if scope["path"] == "/events":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        for number in range(3):
            await send({"type": "http.response.body", "body": b"data: %d\n\n" % number, "more_body": True})
        return await send({"type": "http.response.body"})
    host = next((value for name, value in scope["headers"] if name == b"host"), b"").decode()
    said = " ".join([scope["http_version"], scope["method"], scope["path"], str(len(body)), host])
    kind, text = PACKAGES.get(scope["path"], ("text/plain", said.encode() + b"\n"))
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text if scope["method"] != "HEAD" else b""})


def calls():
    """A gRPC service without a schema: what is called says back what it hears, once or many times."""
    def once(request, context):
        context.set_trailing_metadata((("heard", str(len(request))),))
        return b"heard " + request
    def often(request, context):
        return (b"%d" % number for number in range(3))
    service = grpc.method_handlers_generic_handler("test.Echo", {
        "Once": grpc.unary_unary_rpc_method_handler(once), "Often": grpc.unary_stream_rpc_method_handler(often)})
    server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[service])
    pair = [((FOLDER / "key.pem").read_bytes(), (FOLDER / "leaf.pem").read_bytes())]
    server.add_secure_port("127.0.0.2:443", grpc.ssl_server_credentials(pair))
    server.start()
    return server


async def shell(process):
    """What git runs by ssh, and nothing else."""
    words = (process.command or "").split()
    if len(words) != 2 or words[0] not in ("git-upload-pack", "git-receive-pack"):
        return process.exit(3)
    environment = os.environ | {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
    program = await asyncio.create_subprocess_exec(
        "git", words[0].removeprefix("git-"), str(FOLDER / words[1].strip("'/")), env=environment, stdin=-1, stdout=-1)
    await process.redirect(stdin=program.stdin, stdout=program.stdout)
    await process.stdout.drain()
    process.exit(await program.wait())


class NoPassword(asyncssh.SSHServer):
    def begin_auth(self, username):
        return False


async def serve():
    config = hypercorn.config.Config()
    config.bind, config.insecure_bind = ["127.0.0.1:443", "127.0.0.3:443"], ["127.0.0.1:80"]
    config.certfile, config.keyfile = "leaf.pem", "key.pem"
    key = asyncssh.generate_private_key("ssh-ed25519")
    public = key.export_public_key().decode()
    (FOLDER / "known_hosts").write_text(f"git.test {public}")
    await asyncssh.create_server(NoPassword, "127.0.0.3", 22, server_host_keys=[key], process_factory=shell, encoding=None)
    web = asyncio.create_task(hypercorn.asyncio.serve(site, config, shutdown_trigger=asyncio.Event().wait))
    for address in [("127.0.0.1", 443), ("127.0.0.3", 443), ("127.0.0.1", 80)]:
        while True:
            try:
                socket.create_connection(address).close()
                break
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)
    (FOLDER / "new").touch()
    (FOLDER / "new").rename("ready")
    await web


def ends_with_its_input():
    while os.read(0, 99):
        pass
    shutil.rmtree(FOLDER)
    os._exit(0)


threading.Thread(target=ends_with_its_input, daemon=True).start()
authority()
machine()
repository()
PACKAGES = packages()
CALLS = calls()
asyncio.run(serve())
