/**
 * A listener that accepts nothing for a while, so that a TCP handshake with it takes more than a second: its queue is full,
 * and the kernel drops the first SYN. Hands connections on to a port of this machine afterwards.
 *
 *   node slow-listener.mjs TARGET_PORT
 */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import process from 'node:process';

/** The kernel repeats a SYN after a second. */
const BLOCKED_MS = 800;

const server = createServer((socket) => {
  const onward = connect(Number(process.argv[2]), '127.0.0.1');
  for (const each of [socket, onward]) each.on('error', () => undefined);
  socket.pipe(onward).pipe(socket);
});
server.listen({ host: '127.0.0.1', port: 0, backlog: 1 });
await once(server, 'listening');
const { port } = server.address();
process.once('message', () => {
  process.send({ isBlocked: true });
  setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BLOCKED_MS));
});
process.once('disconnect', () => process.exit());
process.send({ port });
