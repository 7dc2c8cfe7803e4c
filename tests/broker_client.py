"""A client of the Guardian, written from aisandbox-broker(7) alone, with nothing but the standard library."""
import hmac, json, os, select, socket, struct, sys
HEADER = struct.Struct(">4s4BIQ")
ROOM = 65588


class Broker:
    def __init__(self):
        if "AISANDBOX_BROKER" in os.environ:
            door = socket.socket(fileno=os.dup(int(os.environ["AISANDBOX_BROKER"])))
        else:
            door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            door.connect(os.environ["AISANDBOX_BROKER_PATH"])
        door.send(HEADER.pack(b"AIS1", 1, 5, 0, 0, 0, 0))
        while True:
            select.select([door], [], [], 10)
            try:
                welcome, fds, _, _ = socket.recv_fds(door, ROOM, 1, socket.MSG_DONTWAIT)
                break
            except BlockingIOError: pass  # another process took it
        self.socket = socket.socket(fileno=fds[0]) if fds else door
        said = json.loads(welcome[20:])
        self.channel, self.secret = bytes.fromhex(said["channel"]), bytes.fromhex(said["secret"])
        self.run, self.token = said["run"], said["token"]
        self.epoch = self.sent = self.received = self.calls = 0

    def code(self, way, signed):
        extracted = hmac.digest(self.channel, self.secret, "sha256")
        key = hmac.digest(extracted, b"aisandbox/1/" + way + struct.pack(">I", self.epoch) + b"\1", "sha256")
        return hmac.digest(key, self.channel + signed, "sha256")

    def call(self, op):
        """Yields the results of a call, each with its descriptors: `pending` first where a person is asked."""
        number, used, self.calls = self.calls, self.token, self.calls + 1
        payload = json.dumps({"id": number, "token": self.token, "op": op}).encode()
        frame = HEADER.pack(b"AIS1", 1, 1, 0, 0, len(payload), self.sent) + payload
        self.socket.send(frame + self.code(b"a2g", frame))
        self.sent += 1
        while True:
            frame, fds, _, _ = socket.recv_fds(self.socket, ROOM, 8)
            signed, (_, _, kind, _, _, length, sequence) = frame[:-32], HEADER.unpack(frame[:20])
            assert hmac.compare_digest(frame[-32:], self.code(b"g2a", signed)), "not from the Guardian"
            assert len(signed) == 20 + length and sequence == self.received, "not the next frame"
            said, self.received = json.loads(signed[20:]), self.received + 1
            if kind == 3 and "rotated" in said:
                self.epoch, self.token = said["rotated"]["epoch"], said["rotated"]["token"]
            if kind == 2 and said["id"] == number:
                reason = said["result"].get("denied", {}).get("denial", {}).get("reason")
                if reason == "token" and self.token != used:  # it is repeated under the new one
                    return (yield from self.call(op))
                yield said["result"], fds
                if not {"pending", "spawned"} & said["result"].keys(): return


if __name__ == "__main__":
    broker = Broker()
    for op in map(json.loads, sys.argv[1:]):
        for result, fds in broker.call(op):
            said = {"run": broker.run, "result": result, "texts": [os.fdopen(fd).read() for fd in fds]}
            print(json.dumps(said))
