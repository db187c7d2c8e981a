import type { Logger } from './types.ts';

/** Logs nothing: for commands, whose output is their result. */
export const silentLogger: Logger = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
  child: () => silentLogger,
};
