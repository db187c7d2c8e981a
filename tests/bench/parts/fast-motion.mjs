/** The intervals of a device by default, divided by a factor: the work of an hour in some minutes. */

/**
 * Both programs' configuration, and variables without prefix for every interval that paces their work. After prepare().
 *
 * @param {number} factor
 * @param {Readonly<Record<string, string>>} given variables without prefix, as a device has them; none for the defaults
 */
export async function fastMotion(factor, given = {}) {
  const { loadCollectorConfig } = await import('../../../shared/src/config/collector-config.ts');
  const { loadUploaderConfig } = await import('../../../shared/src/config/uploader-config.ts');
  const environment = Object.fromEntries(Object.entries(given).map(([name, value]) => [`THUGSHELLS_${name}`, value]));
  const collectorConfig = loadCollectorConfig(environment).values;
  const uploaderConfig = loadUploaderConfig(environment).values;
  const toText = (ms) => `${Math.round(ms / factor)}ms`;
  const ofCollectors = collectorConfig.collectors.map((name) => [
    `${name.toUpperCase()}_INTERVAL`,
    toText(collectorConfig[`${name}IntervalMs`]),
  ]);
  const variables = {
    ...given,
    ...(collectorConfig.flushIntervalMs > 0 && { FLUSH_INTERVAL: toText(collectorConfig.flushIntervalMs) }),
    ...Object.fromEntries(ofCollectors),
    SYNC_INTERVAL: toText(collectorConfig.syncIntervalMs),
    WAL_CHECKPOINT_INTERVAL: toText(collectorConfig.walCheckpointIntervalMs),
    UPLOAD_INTERVAL: toText(uploaderConfig.uploadIntervalMs),
    CLOCK_SKEW_INTERVAL: toText(uploaderConfig.clockSkewIntervalMs),
  };
  return { collectorConfig, uploaderConfig, variables };
}
