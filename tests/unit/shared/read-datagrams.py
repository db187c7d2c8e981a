# Receives argv[2] datagrams at the address argv[1], abstract where it begins with "@", after argv[3] milliseconds;
# prints "bound", and when all have come one line each: whoever sends may not be reading meanwhile.
import socket
import sys
import time

address, count, wait_ms = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind("\0" + address[1:] if address.startswith("@") else address)
receiver.settimeout(30)
print("bound", flush=True)
time.sleep(wait_ms / 1000)
messages = [receiver.recv(4096).decode() for _ in range(count)]
print("\n".join(message.strip().replace("\n", "|") for message in messages), flush=True)
