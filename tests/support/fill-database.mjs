import { prepareDatabase } from '../../shared/dist/database/prepare.js';
import { canonicalTags, seriesKey } from '../../shared/dist/sample.js';

const quiet = { info() {}, warn() {}, error() {}, debug() {} };

/** Half counters that grow by something, half gauges with a fraction. */
function valueOf(series, scrape) {
  return series % 2 === 0 ? BigInt(scrape * 1500 + ((series * 7919 + scrape * 104729) % 997)) : ((series * 31 + scrape * 17) % 1000) / 10;
}

/**
 * Makes a database with a backlog as the collector leaves it: scrapes of all series, a second apart, ending now.
 * Returns how many samples it holds.
 */
export function fillDatabase(path, { samples, series: seriesCount, deviceId = 'bench' }) {
  const database = prepareDatabase(path, quiet);
  const scrapes = Math.ceil(samples / seriesCount);
  database.transaction(() => {
    const addSeries = database.prepare('INSERT INTO series (id, key, name, tags, device_id, value_type, priority) VALUES (?, ?, ?, ?, ?, 0, 1)');
    for (let id = 1; id <= seriesCount; id++) {
      const tags = canonicalTags({ interface: `eth${id % 50}`, place: String(id) });
      addSeries.run(id, seriesKey('network.rx_bytes_total', deviceId, tags, 0), 'network.rx_bytes_total', tags, deviceId);
    }
    const addSample = database.prepare('INSERT INTO samples (id, series_id, timestamp_ms, value) VALUES (?, ?, ?, ?)');
    const startMs = Date.now() - scrapes * 1000;
    let id = 0;
    for (let scrape = 0; scrape < scrapes; scrape++) {
      for (let series = 1; series <= seriesCount; series++) addSample.run((id += 1), series, startMs + scrape * 1000, valueOf(series, scrape));
    }
    database.prepare('UPDATE collector_state SET last_id = ?, collected = ?').run(id, id);
  })();
  database.pragma('wal_checkpoint(TRUNCATE)');
  database.close();
  return scrapes * seriesCount;
}
