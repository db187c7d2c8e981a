import { fileURLToPath } from 'node:url';

import { freePort } from './free-port.ts';
import { OtherProgram } from './other-scrapers.ts';
import { until } from './until.ts';

/** The example of a configuration. */
export const alertmanagerFile = fileURLToPath(new URL('../../deploy/alerts/alertmanager.yml', import.meta.url));

type Labels = Readonly<Record<string, string>>;

/** An alert as Alertmanager lists it. */
interface ListedAlert {
  readonly labels: Labels;
  readonly status: { readonly inhibitedBy: readonly string[] };
}

/** A real Alertmanager on loopback with the example's configuration. */
export class Alertmanager {
  readonly #url: string;
  readonly #program: OtherProgram;

  private constructor(port: number) {
    this.#url = `http://127.0.0.1:${port}/api/v2/alerts`;
    this.#program = new OtherProgram('prometheus-alertmanager', (folder) => [
      `--config.file=${alertmanagerFile}`,
      `--storage.path=${folder}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--cluster.listen-address=',
    ]);
  }

  static async start(): Promise<Alertmanager> {
    const started = new Alertmanager(await freePort());
    await until('Alertmanager responds', async () => (await started.inhibited()).length === 0);
    return started;
  }

  /** Sends alerts by their labels: they fire from now on, or end now. */
  async send(alerts: readonly Labels[], state: 'firing' | 'resolved' = 'firing'): Promise<void> {
    const now = new Date().toISOString();
    const body = JSON.stringify(alerts.map((labels) => ({ labels, ...(state === 'firing' ? {} : { endsAt: now }) })));
    const headers = { 'content-type': 'application/json', connection: 'close' };
    const response = await fetch(this.#url, { method: 'POST', body, headers });
    if (!response.ok) throw new Error(`cannot send alerts: ${response.status} ${await response.text()}`);
  }

  /** Returns the alerts of which no notification is sent because of others, as `alert device`. */
  async inhibited(): Promise<string[]> {
    const response = await fetch(this.#url, { headers: { connection: 'close' } });
    const alerts = (await response.json()) as ListedAlert[];
    return alerts
      .filter(({ status }) => status.inhibitedBy.length > 0)
      .map(({ labels }) => `${labels['alertname']} ${labels['device_id']}`)
      .sort();
  }

  async stop(): Promise<void> {
    await this.#program.stop();
  }
}
