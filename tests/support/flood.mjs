/**
 * Floods a port of this machine over many connections at once with one request after the other, without a pause and
 * without reading a byte; whoever is disconnected comes back. Runs until it is killed.
 *
 *   node flood.mjs PORT CONNECTIONS REQUEST
 */
import { connect } from 'node:net';
import process from 'node:process';

const [port, connections, request] = process.argv.slice(2);
const block = Buffer.from(request.repeat(Math.ceil(262_144 / request.length)), 'latin1');

function open() {
  const socket = connect(Number(port), '127.0.0.1').pause();
  const send = () => {
    while (!socket.destroyed && socket.write(block));
  };
  socket
    .on('connect', send)
    .on('drain', send)
    .on('error', () => undefined);
  socket.once('close', () => setTimeout(open, 5));
}

for (let count = 0; count < Number(connections); count++) open();
