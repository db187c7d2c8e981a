/** The intervals of a device by default, divided by a factor: the work of an hour in some minutes. */

/** Both programs' own defaults, and variables without prefix for every interval that paces their work. After prepare(). */
export async function fastMotion(factor) {
  const { loadCollectorConfig } = await import('../../../shared/src/config/collector-config.ts');
  const { loadUploaderConfig } = await import('../../../shared/src/config/uploader-config.ts');
  const collectorConfig = loadCollectorConfig({}).values;
  const uploaderConfig = loadUploaderConfig({}).values;
  const toText = (ms) => `${Math.round(ms / factor)}ms`;
  const ofCollectors = collectorConfig.collectors.map((name) => [
    `${name.toUpperCase()}_INTERVAL`,
    toText(collectorConfig[`${name}IntervalMs`]),
  ]);
  const variables = {
    ...Object.fromEntries(ofCollectors),
    SYNC_INTERVAL: toText(collectorConfig.syncIntervalMs),
    WAL_CHECKPOINT_INTERVAL: toText(collectorConfig.walCheckpointIntervalMs),
    UPLOAD_INTERVAL: toText(uploaderConfig.uploadIntervalMs),
    CLOCK_SKEW_INTERVAL: toText(uploaderConfig.clockSkewIntervalMs),
  };
  return { collectorConfig, uploaderConfig, variables };
}
