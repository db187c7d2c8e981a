import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { freePort } from '../support/free-port.ts';

const podman = fileURLToPath(new URL('podman', import.meta.url));
const composeFile = fileURLToPath(new URL('../../deploy/docker/docker-compose.yml', import.meta.url));
const PROJECT = 'thugshells';
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
const run = promisify(execFile);

export type Service = 'victoria-metrics' | 'collector' | 'uploader' | 'receiver';

/** The compose file, brought up on ports that were free. */
export class Stack {
  readonly #env: NodeJS.ProcessEnv;
  readonly victoriaMetrics: string;
  readonly receiver: string;
  readonly sidecar: string;

  private constructor(ports: readonly [number, number, number]) {
    const [victoriaMetrics, receiver, sidecar] = ports.map((port) => `http://127.0.0.1:${port}`) as [
      string,
      string,
      string,
    ];
    this.victoriaMetrics = victoriaMetrics;
    this.receiver = receiver;
    this.sidecar = sidecar;
    this.#env = {
      ...process.env,
      ...{
        VICTORIA_METRICS_PORT: String(ports[0]),
        RECEIVER_PORT: String(ports[1]),
        THUGSHELLS_HEALTH_PORT: String(ports[2]),
      },
      THUGSHELLS_REMOTE_URL: `${victoriaMetrics}/api/v1/import`,
      ...{ THUGSHELLS_DEVICE_ID: 'board-1', THUGSHELLS_INTERVAL: '1s', THUGSHELLS_UPLOAD_INTERVAL: '1s' },
    };
  }

  static async onFreePorts(): Promise<Stack> {
    return new Stack([await freePort(), await freePort(), await freePort()]);
  }

  /** Runs podman-compose with the compose file as it stands; returns all that it printed, for it may end with 0 after an error. */
  async compose(...args: readonly string[]): Promise<string> {
    const flags = ['--podman-path', podman, '-p', PROJECT, '-f', composeFile];
    const { stdout, stderr } = await run('podman-compose', [...flags, ...args], {
      env: this.#env,
      maxBuffer: MAX_OUTPUT_BYTES,
    });
    return `${stdout}${stderr}`;
  }

  /** Runs podman and returns what it printed. */
  async podman(...args: readonly string[]): Promise<string> {
    const { stdout } = await run(podman, args, { env: this.#env, maxBuffer: MAX_OUTPUT_BYTES });
    return stdout.trim();
  }

  async hasImage(name: string): Promise<boolean> {
    return this.podman('image', 'exists', name).then(
      () => true,
      () => false,
    );
  }

  /** Runs a shell's line in a container. */
  async shell(service: Service, line: string): Promise<string> {
    return this.podman('exec', this.container(service), 'sh', '-c', line);
  }

  container(service: Service): string {
    return `${PROJECT}_${service}_1`;
  }
}
