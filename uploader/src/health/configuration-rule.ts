import type { ComponentHealth } from './component-health.ts';

/** What was found in the variables; each is a sentence with its remedy. */
export interface ConfigurationFindings {
  /** What degrades the device, such as an unknown variable: it must not stop a remote device, and must be seen. */
  readonly warnings?: readonly string[];
  /** What the device works with as it is, such as a name that others may have too. */
  readonly notices?: readonly string[];
}

/** Returns the component of the variables; none if nothing was found. */
export function configurationHealth({ warnings = [], notices = [] }: ConfigurationFindings): {
  readonly configuration?: ComponentHealth;
} {
  const message = [...warnings, ...notices].join('; ');
  if (message === '') return {};
  const text = { message, details: {} };
  if (warnings.length === 0) return { configuration: { status: 'ok', ...text } };
  return { configuration: { status: 'degraded', reason: 'unknown_variable', ...text } };
}
