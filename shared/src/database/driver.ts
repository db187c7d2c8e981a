import { createRequire } from 'node:module';
import { versions } from 'node:process';

import type SQLite from 'better-sqlite3';

export type Database = SQLite.Database;
export type Statement<Parameters extends unknown[] = unknown[], Row = unknown> = SQLite.Statement<Parameters, Row>;
export type Driver = typeof SQLite;

/** Packages that drive SQLite: better-sqlite3 12, and version 13 under a name of its own. */
export const DRIVERS = ['better-sqlite3', 'better-sqlite3-node-api'] as const;

const require = createRequire(import.meta.url);

/**
 * The package for a Node.js of a given version. better-sqlite3 12 ends its process on Node.js 24.19 and later when V8
 * collects a statement between two turns of the event loop; version 13 needs Node.js 22.
 *
 * @param nodeVersion such as `20.19.0`
 */
export function driverFor(nodeVersion: string): (typeof DRIVERS)[number] {
  return Number.parseInt(nodeVersion, 10) >= 24 ? 'better-sqlite3-node-api' : 'better-sqlite3';
}

/**
 * The driver for this Node.js; both versions have the same interface, as far as it is used here.
 *
 * @throws Error with code MODULE_NOT_FOUND where the packages were installed with a Node.js that needs the other one
 */
export function driver(): Driver {
  return require(driverFor(versions.node)) as Driver;
}
