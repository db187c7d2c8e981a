/** Stands in for VictoriaMetrics in the container, and names every sample of every request as rejected. */
import { createServer } from 'node:http';
import { buffer, text } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';

/** How many samples a body of JSON lines has. */
function countSamples(lines) {
  const values = lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line).values.length);
  return values.reduce((total, count) => total + count, 0);
}

createServer(async (request, response) => {
  const isCompressed = request.headers['content-encoding'] === 'gzip';
  const lines = isCompressed ? gunzipSync(await buffer(request)).toString() : await text(request);
  const rejected = Array.from({ length: countSamples(lines) }, (_, index) => ({ index, reason: 'refused by a test' }));
  response.end(JSON.stringify({ accepted: 0, rejected }));
}).listen(8428, '127.0.0.1');
