/**
 * The labels that the agent's own series have, or that every exported series may have: a label of the site of the same name
 * would reach some series and not others. A test compares them with what the collectors return.
 */
export const OWN_LABEL_NAMES: readonly string[] = [
  'collector',
  'core',
  'device',
  'device_id',
  'driver',
  'exported_device_id',
  'file',
  'fstype',
  'instance',
  'interface',
  'job',
  'kind',
  'le',
  'memory',
  'mode',
  'mountpoint',
  'package',
  'policy',
  'quantile',
  'reason',
  'resource',
  'simulated',
  'supply',
  'unit',
  'value',
  'zone',
];
