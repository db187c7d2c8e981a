/** Run inside a unit's sandbox, ahead of its program: tells as one JSON object what can be done there. */
import { createSocket } from 'node:dgram';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';

function attempt(action) {
  try {
    action();
    return 'possible';
  } catch (error) {
    return error.code;
  }
}

function tcp(host, port) {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once('connect', () => resolve('possible'));
    socket.once('error', (error) => resolve(error.code));
  }).catch((error) => error.code);
}

function listen(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) => resolve(error.code));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve('possible')));
  });
}

function udp() {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', (error) => resolve(error.code));
    socket.bind(0, () => resolve('possible'));
  }).catch((error) => error.code);
}

const others = readdirSync('/proc').filter(
  (name) => /^\d+$/.test(name) && Number(name) !== process.pid && Number(name) !== process.ppid,
);
console.log(
  JSON.stringify({
    probe: true,
    tcp: await tcp('127.0.0.1', 8428),
    elsewhere: await tcp('192.0.2.1', 8428),
    udp: await udp(),
    listen: await listen(9200),
    interfaces: readFileSync('/proc/net/dev', 'utf8').includes('lo:'),
    others: others.length,
    etc: attempt(() => writeFileSync('/etc/probe', '')),
    program: attempt(() => writeFileSync('/usr/lib/thugshells/probe', '')),
    state: attempt(() => writeFileSync('/var/lib/thugshells/probe', '')),
    shadow: attempt(() => readFileSync('/etc/shadow')),
    credentials: attempt(() => readdirSync('/etc/thugshells/remote')),
  }),
);
process.exit(0);
