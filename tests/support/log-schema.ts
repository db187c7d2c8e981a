/** What each field of a log line is, by its name; one that is not here is a number, a text or a truth, in snake_case. */
const FIELDS: Readonly<Record<string, RegExp | 'number' | 'string' | 'boolean'>> = {
  time: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
  level: /^(error|warn|info|debug)$/,
  msg: /^\S.{2,200}$/,
  session_id: /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  batch_id: /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  endpoint: /^https?:\/\//,
  collector: /^[a-z_]+$/,
  component: /^[a-z_.]+$/,
  error_code: /^[A-Z][A-Z0-9_]+$/,
  ...Object.fromEntries(
    [
      'chunk_index',
      'attempt',
      'backoff_ms',
      'count',
      'http_status',
      'bytes_sent',
      'bytes_rcvd',
      'duration_ms',
      'exit_code',
      'repeated',
    ].map((name) => [name, 'number' as const]),
  ),
  ...Object.fromEntries(['error', 'error_type', 'stack', 'hint', 'reason'].map((name) => [name, 'string' as const])),
};
const ALWAYS = ['time', 'level', 'msg', 'session_id'];
const MAX_LINE_BYTES = 32 * 1024;

/** What is wrong with a line of a program's log; empty for nothing. */
export function faultsOf(line: string): string[] {
  if (Buffer.byteLength(line) > MAX_LINE_BYTES) return [`a line of ${line.length} characters`];
  let fields: Record<string, unknown>;
  try {
    fields = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return [`no JSON: ${line}`];
  }
  const names = Object.keys(fields);
  return [
    ...ALWAYS.filter((name) => !(name in fields)).map((name) => `${name} is missing: ${line}`),
    ...(names.slice(0, 3).join() === 'time,level,msg' ? [] : [`does not begin with time, level, msg: ${line}`]),
    ...names
      .filter((name) => !isSound(name, fields[name]))
      .map((name) => `${name} is ${JSON.stringify(fields[name])}: ${line}`),
  ];
}

function isSound(name: string, value: unknown): boolean {
  const rule = FIELDS[name];
  if (rule instanceof RegExp) return typeof value === 'string' && rule.test(value);
  if (rule !== undefined) return typeof value === rule;
  return /^[a-z][a-z0-9_]*$/.test(name) && ['number', 'string', 'boolean'].includes(typeof value);
}
