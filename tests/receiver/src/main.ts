import { parseArgs } from 'node:util';
import { startReceiver } from './server.ts';

const usage = 'usage: main.js [--port PORT] [--host HOST]';

try {
  const { values } = parseArgs({ options: { port: { type: 'string', default: '0' }, host: { type: 'string' } } });
  const port = Number(values.port);
  if (!/^\d+$/.test(values.port) || port > 65_535) throw new TypeError(`${values.port} is not a port`);
  await run(port, values.host ?? '127.0.0.1');
} catch (error) {
  // Anything else, such as a port that is taken, is a fault and not how it was called.
  const misused = error instanceof TypeError;
  process.stderr.write(`${(error as Error).message}\n${misused ? `${usage}\n` : ''}`);
  process.exitCode = misused ? 2 : 1;
}

/** Listens, says where as one line, and ends at the first SIGINT or SIGTERM. */
async function run(port: number, host: string): Promise<void> {
  const receiver = await startReceiver({ port, host });
  process.stdout.write(`${receiver.url}\n`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void receiver.stop());
}
