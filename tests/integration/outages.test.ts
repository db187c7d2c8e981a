import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { AgentProcess } from '../support/agent-process.ts';
import { readBooks, findDifferences, toStoredPoints, readStoredPoints } from '../support/stored-rows.ts';
import { until } from '../support/until.ts';
import { startVictoriaMetrics } from '../support/victoria-metrics.ts';

let folder: string;
const running = new Set<AgentProcess>();

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'outages-'));
});

afterEach(async () => {
  for (const agent of running) await agent.kill('SIGKILL');
  running.clear();
  rmSync(folder, { recursive: true });
});

function start(program: 'collector' | 'uploader', port: number): AgentProcess {
  const agent = new AgentProcess(program, {
    THUGSHELLS_DB_PATH: join(folder, 'metrics.db'),
    THUGSHELLS_REMOTE_URL: `http://127.0.0.1:${port}/api/v1/import`,
    THUGSHELLS_INTERVAL: '500ms',
    THUGSHELLS_UPLOAD_INTERVAL: '500ms',
    THUGSHELLS_REMOTE_TIMEOUT: '400ms',
    THUGSHELLS_RETRY_INITIAL: '50ms',
    THUGSHELLS_HEALTH_PORT: '0',
  });
  running.add(agent);
  return agent;
}

/** What stands where VictoriaMetrics should be, and how it goes away. */
interface Impostor {
  readonly port: number;
  close(): Promise<void>;
}

async function listening(server: Server): Promise<Impostor> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const impostors: Record<string, () => Promise<Impostor>> = {
  'at nothing': async () => {
    const impostor = await listening(createServer());
    await impostor.close();
    return { port: impostor.port, close: async () => undefined };
  },
  'at an HTTP server that is no VictoriaMetrics': () =>
    listening(
      createHttpServer((request, response) => {
        request.resume();
        response
          .writeHead(200, { 'content-type': 'text/html' })
          .end('<html>Please accept the terms of this network</html>');
      }),
    ),
  'at a port that accepts and never answers': () => listening(createServer()),
};

test.each(Object.keys(impostors))(
  'an uploader pointed %s keeps the rows, says so once, and delivers when the real one appears',
  async (where) => {
    const database = join(folder, 'metrics.db');
    const impostor = await impostors[where]!();
    const collector = start('collector', impostor.port);
    const uploader = start('uploader', impostor.port);
    const complaints = (): unknown[] => uploader.told('upload failed, will retry');
    await until('it says so', () => complaints().length > 0);
    const collectedAtFirst = readBooks(database).collected;
    await until('many samples wait', () => readBooks(database).collected > collectedAtFirst + 200);
    expect(readBooks(database).delivered).toBe(0);
    expect(complaints()).toHaveLength(1);
    const health = (await (await fetch(new URL('/health', uploader.endpoint()))).json()) as {
      components: Record<string, { status: string; message: string }>;
    };
    expect(health.components['uploader']?.status).toBe('degraded');

    await impostor.close();
    const server = await startVictoriaMetrics({ port: impostor.port });
    try {
      await until('it takes samples', () => uploader.told('receiver recovered').length > 0);
      await collector.stop();
      await until('nothing is pending', () => readBooks(database).pending === 0);
      await uploader.stop();
      expect(findDifferences(readStoredPoints(database), toStoredPoints(await server.export()))).toEqual([]);
      expect(complaints()).toHaveLength(1);
      expect(uploader.log().filter(({ level, msg }) => level === 'error' || msg === 'unexpected error')).toEqual([]);
    } finally {
      await server.stop();
    }
  },
);
