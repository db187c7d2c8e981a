/** Hands TCP connections on to a port of this machine, and counts the bytes that each carries. */
import { connect, createServer } from 'node:net';

export async function startRelay(toPort) {
  /** By connection, in the order in which they began: bytes to the server, and from it. */
  const connections = [];
  const open = new Set();
  const server = createServer((client) => {
    const counted = { sent: 0, received: 0 };
    connections.push(counted);
    const upstream = connect(toPort, '127.0.0.1');
    client.on('data', (part) => (counted.sent += part.length));
    upstream.on('data', (part) => (counted.received += part.length));
    client.pipe(upstream).pipe(client);
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on('close', () => open.delete(socket));
      socket.on('error', () => [client, upstream].forEach((each) => each.destroy()));
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: server.address().port,
    connections,
    close() {
      for (const socket of open) socket.destroy();
      server.close();
    },
  };
}
