/** When scrapes began, and how late that was. */
import { createServer, request } from 'node:http';

/**
 * Delays against a grid of the interval that the earliest scrape sets, in ms, and how many places of the grid none began on.
 *
 * @param {readonly number[]} times in ms, ascending
 */
export function findDelays(times, intervalMs) {
  if (times.length === 0) return { delaysMs: [], missed: 0 };
  const [first] = times;
  // Once on the grid of the first one, which may be late itself, then on that of the earliest.
  const offsets = times.map((at) => at - first - Math.round((at - first) / intervalMs) * intervalMs);
  const origin = first + Math.min(...offsets);
  const places = new Set(times.map((at) => Math.floor((at - origin) / intervalMs)));
  const expected = Math.max(...places) + 1;
  return { delaysMs: times.map((at) => (at - origin) % intervalMs), missed: expected - places.size };
}

/** Stands before an exporter and notes when it is asked; outside of what limits the exporter. */
export async function watchScrapes(exporterPort) {
  const times = [];
  const server = createServer((incoming, response) => {
    times.push(performance.now());
    const { url: path, headers } = incoming;
    const asked = request({ port: exporterPort, host: '127.0.0.1', path, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    asked.on('error', () => response.destroy());
    response.on('close', () => asked.destroy());
    asked.end();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { times, port: server.address().port, close: () => (server.closeAllConnections(), server.close()) };
}
